import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FailedPicture } from '../evaluate.ts';
import { SCORE_MIN } from '../method.ts';
import type { describeMachine } from '../report.ts';
import { markdownTable, numberCell } from '../sequence/table.ts';
import type { VariantFigures } from './accuracy.ts';
import type { Ratio, VariantTimes } from './timing.ts';
import type { Padding, Way } from './variants.ts';

/** One variant at one rate point. */
export interface PassesRow extends VariantFigures, VariantTimes {
  readonly ratePoint: number;
  readonly ratePointName: string;
  readonly way: Way;
  readonly padding: Padding;
}

/** The claim for one variant of three runs at one rate point. */
export interface Verdict {
  readonly ratePoint: number;
  readonly way: Way;
  readonly padding: Padding;
  readonly ratio: number;
  /** `open`: 2 lies within what the median may be with 95 % confidence. */
  readonly verdict: 'holds' | 'fails' | 'open';
}

/** All of passes.json. */
export type PassesReport = ReturnType<typeof describeMachine> & {
  readonly bundle: { readonly name: string; readonly version: string; readonly digest: string };
  readonly data: string;
  readonly detector: string;
  readonly classifier: string;
  readonly segmenter: string;
  /** Pictures whose accuracy was measured, and of those the ones that were timed. */
  readonly n: number;
  readonly timed: number;
  readonly repeats: number;
  /** Of the unsplit detector on the pictures as they are. */
  readonly detectorMAP50: number | null;
  readonly verdicts: readonly Verdict[];
  readonly notes: readonly string[];
  readonly rows: readonly PassesRow[];
  readonly failedPictures: readonly FailedPicture[];
};

/** How many times faster one pass has to be for a consumer. */
export const CLAIM_RATIO = 2;

export const NOTES: readonly string[] = [
  'One pass: one frame in the letterbox, one bitstream, the body once, three heads. Three runs:' +
    ' for each task a frame, a bitstream, its decoding, the body, one head. One letterbox: the' +
    ' frame of the one pass, sent and analysed three times. Own transforms: classification scales' +
    ' the short side to 448/416 of the input and crops the centre; detection is letterboxed;' +
    " segmentation is stretched to the square: as in Ladon's configurations, but for detection," +
    " whose input there has the picture's aspect, and here is the square of the bundle.",
  'Masked: the consumer is told where the picture lies; the classifier pools it alone, and masks' +
    " are cut to it. Unmasked: it takes the whole input for the picture, the letterbox's bars" +
    ' included. Crops and stretched pictures have no bars.',
  'Bytes: record values and what the codec made of them, summed over the runs, mean of a picture.',
  "Consumer: decoding (record to latent, in the consumer's process), body and heads (in its" +
    ' engine process, as the engine itself times them), ONNX Runtime on one thread of the CPU,' +
    " the bundle's own thresholds, one frame at a time; medians over pictures and repeats. Three" +
    ' runs have an engine process each, with one head, and run one after the other. Wall:' +
    ' decoding, and from there to the findings, the pipe to the engine included. A consumer that' +
    ' has two frames waiting decodes them side by side, a little faster; here it never has.',
  'Ratio: three runs over one pass with the same padding, paired by picture and repeat, the order' +
    ' drawn anew each time: the median of the pairs, and in brackets where it lies with 95 %' +
    ' confidence, were all pairs independent; those of one picture are not quite. The claim holds' +
    ' where all of that is at least' +
    ` ${CLAIM_RATIO}, and fails where all of it is less.`,
  `mAP50: COCO's, of boxes with a score from ${SCORE_MIN}, by the truth of the data.`,
  'top-1: how often the best class is that of --classifier on the uncompressed picture, in the' +
    ' form that the variant gives it (crop, content of the letterbox, letterbox with its bars).' +
    ' mIoU: the masks against those of --segmenter, likewise. "letterbox" compares all variants' +
    ' with one and the same: both networks on the content of the letterbox. Unmasked masks of a' +
    ' letterbox cover its bars, so they have no such figure. All say how well the bundle copies' +
    ' those networks.',
  'A few dozen pictures leave a noise of about 0.05 in mAP50, and of 0.1 in top-1.',
];

/** Of every row with a ratio. */
export function verdictsOf(rows: readonly PassesRow[]): Verdict[] {
  return rows.flatMap(({ ratePoint, way, padding, ratio }) =>
    ratio === null
      ? []
      : [{ ratePoint, way, padding, ratio: ratio.median, verdict: verdictOf(ratio) }],
  );
}

function verdictOf({ low, high }: Ratio): Verdict['verdict'] {
  if (low >= CLAIM_RATIO) return 'holds';
  return high < CLAIM_RATIO ? 'fails' : 'open';
}

/** The claim in a sentence, with what the rows say of it. */
export function claimText(verdicts: readonly Verdict[]): string {
  const count = (wanted: Verdict['verdict']) =>
    verdicts.filter(({ verdict }) => verdict === wanted).length;
  const ratios = verdicts.map(({ ratio }) => ratio);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  return (
    `Claim: for the consumer, one pass is at least ${CLAIM_RATIO} times as fast as three runs.` +
    ` Of ${verdicts.length} comparisons it holds in ${count('holds')}, fails in` +
    ` ${count('fails')}, and ${count('open')} cannot tell; three runs take ${range} times the` +
    ' time of one pass (medians).'
  );
}

export function passesTable(rows: readonly PassesRow[]): string {
  return markdownTable(rows, [
    ['rate point', ({ ratePoint, ratePointName }) => `${ratePoint}, ${ratePointName}`],
    ['way', ({ way }) => way],
    ['padding', ({ padding }) => padding],
    ['record bytes', ({ recordBytes }) => String(recordBytes)],
    ['codec bytes', ({ codecBytes }) => String(codecBytes)],
    ['decode ms', ({ times }) => numberCell(times.decodeMs, 2)],
    ['body ms', ({ times }) => numberCell(times.bodyMs, 1)],
    ['heads ms', ({ times }) => numberCell(times.headsMs, 1)],
    ['consumer ms', ({ times }) => numberCell(times.totalMs, 1)],
    ['ratio', ({ ratio }) => ratioCell(ratio)],
    ['wall ms', ({ times }) => numberCell(times.wallMs, 1)],
    ['ratio', ({ wallRatio }) => ratioCell(wallRatio)],
    ['mAP50', ({ mAP50 }) => numberCell(mAP50, 3)],
    ['top-1', ({ top1Agreement }) => numberCell(top1Agreement, 3)],
    ['letterbox', ({ top1AgreementLetterbox }) => numberCell(top1AgreementLetterbox, 3)],
    ['mIoU', ({ mIoU }) => numberCell(mIoU, 3)],
    ['letterbox', ({ mIoULetterbox }) => numberCell(mIoULetterbox, 3)],
  ]);
}

/** Writes passes.json and passes.md. */
export function writePasses(report: PassesReport, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), `${text}\n`);
  write('passes.json', JSON.stringify(report, null, 1));
  write('passes.md', passesMarkdown(report));
}

function passesMarkdown(report: PassesReport): string {
  const { bundle, date, commit, cpu, cores, node, data, n, timed, repeats } = report;
  const { detector, classifier, segmenter, detectorMAP50, failedPictures } = report;
  const failed = failedPictures.map(({ name, reason }) => `- ${name}: ${reason}`);
  return [
    `# ${bundle.name} ${bundle.version}: one pass or three runs, on ${n} pictures`,
    `${date}; commit ${commit}; ${cpu}, ${cores} cores; Node ${node}. Pictures: ${data}; ${timed}` +
      ` of them timed, ${repeats} times each. Detector: ${detector}, mAP50` +
      ` ${numberCell(detectorMAP50, 3)} on the pictures as they are. Classifier: ${classifier}.` +
      ` Segmenter: ${segmenter}. Bundle: ${bundle.digest}.`,
    claimText(report.verdicts),
    passesTable(report.rows),
    report.notes.map((note) => `- ${note}`).join('\n'),
    ...(failed.length === 0 ? [] : ['Pictures that were left out:', failed.join('\n')]),
  ].join('\n\n');
}

function ratioCell(ratio: Ratio | null): string {
  if (ratio === null) return '1';
  const { median, low, high } = ratio;
  return `${median.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}
