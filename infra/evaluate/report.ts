import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import type { Comparison } from './comparisons.ts';
import type { Bytes, Evaluation, Row } from './evaluate.ts';
import { SCORE_MIN } from './method.ts';
import { MEASURE_NAMES } from './plot.ts';

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
  'encode: letterboxed pixels to bytes; decode: those to what the tasks say, with all networks.' +
    ' Means, one frame at a time, one thread; of HEVC they count the start of ffmpeg too.',
  "Encoder size, data size and accuracy are SC2's three metrics (arXiv:2203.08875); GMAC are the" +
    " encoder's multiply-accumulates a frame, in thousands of millions.",
  "Bytes at equal accuracy: between an opponent's best settings, accuracy goes with the" +
    ' logarithm of the bytes.',
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

const COLUMNS: readonly (readonly [title: string, cell: (row: Row) => string])[] = [
  ['method', (row) => row.method],
  ['setting', (row) => row.setting],
  ['n', (row) => String(row.pictures)],
  ['record bytes, mean', (row) => bytes(row.recordBytes, 'mean')],
  ['median', (row) => bytes(row.recordBytes, 'median')],
  ['codec bytes, mean', (row) => bytes(row.codecBytes, 'mean')],
  ['median', (row) => bytes(row.codecBytes, 'median')],
  ['mAP', (row) => fraction(row.mAP)],
  ['mAP50', (row) => fraction(row.mAP50)],
  ['person AP50', (row) => fraction(row.personAP50)],
  ['top-1', (row) => fraction(row.top1Agreement)],
  ['mIoU', (row) => fraction(row.mIoU)],
  ['encode ms', (row) => decimal(row.times?.encodeMs, 1)],
  ['decode ms', (row) => decimal(row.times?.decodeMs, 1)],
  ['encoder kB', (row) => decimal(row.encoder && row.encoder.parameterBits / 8_000, 0)],
  ['encoder GMAC', (row) => decimal(row.encoder && row.encoder.macs / 1e9, 2)],
  ['remark', (row) => row.remark.replaceAll(/\s+/g, ' ').replaceAll('|', '/')],
];

/** Titles, and the cells of each row. */
export function cellsOf(rows: readonly Row[]) {
  const titles = COLUMNS.map(([title]) => title);
  return { titles, cells: rows.map((row) => COLUMNS.map(([, cell]) => cell(row))) };
}

/** In Markdown, with the columns aligned for a terminal. */
export function tableOf(rows: readonly Row[]): string {
  const { titles, cells } = cellsOf(rows);
  return markdownTable(titles, cells);
}

export function markdownTable(
  titles: readonly string[],
  cells: readonly (readonly string[])[],
): string {
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const pad = (line: readonly string[]) =>
    line.map((cell, index) => (index === line.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)));
  const lines = [titles, titles.map((title) => '-'.repeat(title.length)), ...cells].map(pad);
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** Titles and cells of what opponents need to be as good. */
export function comparisonCells(comparisons: readonly Comparison[]) {
  const titles = ['bundle', 'measure', 'value', 'bytes', 'opponent', 'its bytes', 'ratio', ''];
  const cells = comparisons.map((each) => [
    `${each.method}, ${each.setting}`,
    MEASURE_NAMES[each.measure],
    each.value.toFixed(3),
    String(each.recordBytes),
    each.opponent,
    each.opponentBytes === null ? '-' : String(each.opponentBytes),
    each.ratio === null ? '-' : each.ratio.toFixed(2),
    each.remark,
  ]);
  return { titles, cells };
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
  return value === null ? '-' : String(value[which]);
}

function decimal(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}

function fraction(value: number | null): string {
  return value === null ? '-' : value.toFixed(3);
}
