import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import { type Comparison, MEASURES } from './comparisons.ts';
import type { Bytes, Evaluation, Row } from './evaluate.ts';
import { escapeMarkdown } from './markup.ts';
import { SCORE_MIN } from './method.ts';
import { encoderTimesRate, MEASURE_NAMES } from './plot.ts';
import { markdownTable, numberCell } from './sequence/table.ts';

/** All of report.json. */
export interface Report extends Evaluation {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly bundle: { readonly name: string; readonly version: string; readonly digest: string };
  readonly data: string;
  readonly detector: string | null;
  readonly classifier: string | null;
  readonly segmenter: string | null;
  /** Pictures that were measured. */
  readonly n: number;
  /** Bytes of opponents that are as good as the bundles' rows. */
  readonly comparisons: readonly Comparison[];
  /** What a reader has to know to compare these figures with others. */
  readonly notes: readonly string[];
}

const ROOT = join(import.meta.dirname, '../..');

export function describeMachine(clock: Clock) {
  // Without git, or without its folder, the commit is unknown.
  const git = (...args: string[]) => {
    const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : undefined;
  };
  const commit = git('rev-parse', '--short', 'HEAD') ?? 'unknown';
  const isChanged = (git('status', '--porcelain') ?? '') !== '';
  const cores = cpus();
  return {
    date: new Date(clock.nowUs() / 1000).toISOString().slice(0, 10),
    commit: `${commit}${isChanged ? ' and changes' : ''}`,
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    node: process.version,
  };
}

export const NOTES: readonly string[] = [
  'Record bytes are the whole value of a Kafka record (Avro with everything a frame says of' +
    ' itself); codec bytes are the part the codec made, its own header included. Pixel codecs are' +
    ' put into the same record.',
  `Accuracy is COCO's, over the classes that occur, of all boxes with a score from ${SCORE_MIN};` +
    ' where a bundle or a user asks for a higher score, fewer boxes are told.',
  'Pixel codecs: scaled so that the longest side is the one named, encoded, decoded, scaled to' +
    ' 416 and given to the unsplit detector. In the plot a line joins the best of all settings.',
  'encode: letterboxed pixels to bytes, of pixel codecs scaling and encoding; decode: from those' +
    ' bytes to what the tasks say, of pixel codecs decoding and the unsplit networks. Means, one' +
    ' frame at a time, one thread; of HEVC they count the start of ffmpeg too.',
  "Encoder size, data size and accuracy are SC2's three metrics (arXiv:2203.08875): kB of the" +
    " encoder's tensors, bytes of the record. ExR is encoder kB x record kB. GMAC are the" +
    " encoder's multiply-accumulates a frame, in thousands of millions.",
  "Bytes at equal accuracy: between an opponent's best settings, accuracy goes with the" +
    " logarithm of the bytes. The ratio is the bundle's bytes over the opponent's: below 1 the" +
    ' bundle needs fewer.',
  'Neural picture codecs say in their settings, and bundles in their descriptions below, how long' +
    ' they were trained: some hundred steps show what minutes of training give, not what a method' +
    ' can do. The bytes of such codecs are those of their streams, without any header.',
  'HEVC intra counts no parameter sets: BPG has a header of a dozen bytes in their place.',
  'Local computing sends results and nothing else, so nothing can be analysed again later.',
  'top-1 is the share of pictures whose best class, by its id, is the best that' +
    ' --classifier names on the uncompressed picture; mIoU compares with the masks of' +
    ' --segmenter there. Both say how well a row copies those networks, not how right either' +
    ' is. unsplit: both are 1 by definition. Pixel codecs: the same networks on the decoded' +
    ' picture. Local computing: neither.',
  'The classifier sees the content of the 416 x 416 letterbox alone, at the same scale, so' +
    ' that it pools nothing else; models/training/evaluate.py shows its network the whole and' +
    ' pools the cells with their centres in the content, which differs at the edges.',
  'mIoU: one confusion matrix over all pictures, content only, in the cells of 208 x 208 on' +
    ' the letterbox; the mean over the classes that the segmenter saw, background included.' +
    ' Rows of the bundle have the masks of published results, where a class that covers less' +
    ' than 0.05 % of the picture is left out: there is background.',
  'A few dozen pictures leave a noise of about 0.05 in mAP50, and of 0.1 in top-1: where a scene' +
    ' shows many things, little decides between two classes.',
];

/** What stands in the lines and columns, as plain text. */
export interface Table {
  readonly titles: readonly string[];
  readonly cells: readonly (readonly string[])[];
}

type Columns<Item> = readonly (readonly [title: string, cell: (item: Item) => string])[];

const COLUMNS: Columns<Row> = [
  ['method', (row) => row.method],
  ['setting', (row) => row.setting],
  ['n', (row) => String(row.pictures)],
  ['record bytes, mean', (row) => bytes(row.recordBytes, 'mean')],
  ['median', (row) => bytes(row.recordBytes, 'median')],
  ['codec bytes, mean', (row) => bytes(row.codecBytes, 'mean')],
  ['median', (row) => bytes(row.codecBytes, 'median')],
  ['mAP', (row) => numberCell(row.mAP, 3)],
  ['mAP50', (row) => numberCell(row.mAP50, 3)],
  ['person AP50', (row) => numberCell(row.personAP50, 3)],
  ['top-1', (row) => numberCell(row.top1Agreement, 3)],
  ['mIoU', (row) => numberCell(row.mIoU, 3)],
  ['encode ms', (row) => numberCell(row.times?.encodeMs, 1)],
  ['decode ms', (row) => numberCell(row.times?.decodeMs, 1)],
  ['encoder kB', encoderKilobytes],
  ['encoder GMAC', (row) => numberCell(row.encoder && row.encoder.macs / 1e9, 2)],
  ['remark', (row) => row.remark],
];

const COMPARISON_COLUMNS: Columns<Comparison> = [
  ['bundle', (each) => `${each.method}, ${each.setting}`],
  ['measure', (each) => MEASURE_NAMES[each.measure]],
  ['value', (each) => numberCell(each.value, 3)],
  ['bytes', (each) => String(each.recordBytes)],
  ['opponent', (each) => each.opponent],
  ['its bytes', (each) => numberCell(each.opponentBytes, 0)],
  ['ratio', (each) => numberCell(each.ratio, 2)],
  ['remark', (each) => each.remark],
];

const TRADE_OFF_COLUMNS: Columns<Row> = [
  ['bundle', (row) => row.method],
  ['setting', (row) => row.setting],
  ['encoder kB', encoderKilobytes],
  ['record bytes, mean', (row) => bytes(row.recordBytes, 'mean')],
  ['ExR', (row) => numberCell(encoderTimesRate(row), 0)],
  ...MEASURES.map(
    (measure) => [MEASURE_NAMES[measure], (row: Row) => numberCell(row[measure], 3)] as const,
  ),
];

/** All rows with all that was measured. */
export function rowsTable(rows: readonly Row[]): Table {
  return tableWith(rows, COLUMNS);
}

/** What opponents need to be as good. */
export function comparisonTable(comparisons: readonly Comparison[]): Table {
  return tableWith(comparisons, COMPARISON_COLUMNS);
}

/** SC2's three metrics (arXiv:2203.08875), of the rows that know what their encoder costs. */
export function tradeOffTable(rows: readonly Row[]): Table {
  const known = rows.filter((row) => encoderTimesRate(row) !== null);
  return tableWith(known, TRADE_OFF_COLUMNS);
}

function tableWith<Item>(items: readonly Item[], columns: Columns<Item>): Table {
  const titles = columns.map(([title]) => title);
  return { titles, cells: items.map((item) => columns.map(([, cell]) => cell(item))) };
}

/** In Markdown, with the columns aligned for a terminal. */
export function markdownOf({ titles, cells }: Table): string {
  const columns = titles.map(
    (title, index) => [title, (line: readonly string[]) => line[index] ?? ''] as const,
  );
  return markdownTable(
    cells.map((line) => line.map(escapeMarkdown)),
    columns,
  );
}

/** All rows, for a terminal. */
export function tableOf(rows: readonly Row[]): string {
  return markdownOf(rowsTable(rows));
}

/** Where the figures come from, in a sentence or two. */
export function provenanceOf(report: Report): string {
  const { bundle, data, commit, date, cpu, cores, node } = report;
  const { detector, classifier, segmenter } = report;
  return (
    `${date}; commit ${commit}; ${cpu}, ${cores} cores; Node ${node}. Pictures: ${data}.` +
    ` Detector: ${detector ?? 'none'}. Classifier: ${classifier ?? 'none'}.` +
    ` Segmenter: ${segmenter ?? 'none'}. Bundle: ${bundle.digest}.`
  );
}

function bytes(value: Bytes | null, which: keyof Bytes): string {
  return numberCell(value?.[which], 0);
}

function encoderKilobytes({ encoder }: Row): string {
  return numberCell(encoder && encoder.parameterBits / 8_000, 0);
}
