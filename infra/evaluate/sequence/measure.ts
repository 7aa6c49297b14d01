import { describeError } from '#runtime/errors.ts';
import { PrecisionTally, type TruthBox } from '../average-precision.ts';
import { DETECTOR_INPUT, type Detector } from '../detector.ts';
import { type ClipMethod, type ClipOutcome, fractionBoxes } from './clip-method.ts';
import type { ClipReader } from './clip-reader.ts';
import { DETECTOR_SCORE_MIN } from './pixel-methods.ts';
import { mean, median, rounded } from './statistics.ts';

/** Bytes a frame. Of a stream only the mean is known. */
export interface Spread {
  readonly mean: number;
  readonly median: number | null;
  readonly max: number | null;
}

/** A method on a clip, measured. Null is what was not, or cannot be told. */
export interface SequenceRow {
  readonly clip: string;
  readonly method: string;
  readonly setting: string;
  readonly frames: number;
  readonly recordBytes: Spread | null;
  readonly codecBytes: Spread | null;
  /** Mean over the classes of which the detector sees enough on the uncompressed frames. */
  readonly ap50: number | null;
  readonly ap50ByClass: Readonly<Record<string, number>> | null;
  /** Boxes over the whole clip, by class, most first. */
  readonly detections: Readonly<Record<string, number>> | null;
  /** Frames by their best class, most first. */
  readonly topClasses: Readonly<Record<string, number>> | null;
  /** Part of the picture that a class covers, mean over the frames, largest first. */
  readonly maskShares: Readonly<Record<string, number>> | null;
  /** It was tried, and threw. */
  readonly hasFailed: boolean;
  readonly remark: string;
}

/** Of a class in a clip; fewer decide nothing, and in a mean they would weigh as much as any. */
export const TRUTH_BOXES_MIN = 5;

/** The detector's own boxes on the uncompressed frames, a list a frame. */
export type ClipTruth = readonly (readonly TruthBox[])[];

export async function clipTruth(reader: ClipReader, detector: Detector): Promise<ClipTruth> {
  const truth: TruthBox[][] = [];
  for (const frame of await reader.frames(DETECTOR_INPUT)) {
    const boxes = fractionBoxes(await detector.detect(frame, DETECTOR_SCORE_MIN));
    truth.push(boxes.map(({ label, box }) => ({ label, box, isCrowd: false })));
  }
  return truth;
}

/** `truth` is undefined where there is no detector. What throws stands in the row. */
export async function measureClip(
  method: ClipMethod,
  reader: ClipReader,
  truth: ClipTruth | undefined,
): Promise<SequenceRow> {
  const { name, setting, remark, run } = method;
  const title = { clip: reader.clip.name, method: name, setting };
  if (run === undefined) return { ...title, ...EMPTY, hasFailed: false, remark };
  try {
    const outcome = await run(reader);
    return { ...title, ...figuresOf(outcome, method, truth) };
  } catch (error) {
    return { ...title, ...EMPTY, hasFailed: true, remark: `failed: ${describeError(error)}` };
  }
}

const EMPTY = {
  ...{ frames: 0, recordBytes: null, codecBytes: null, ap50: null, ap50ByClass: null },
  ...{ detections: null, topClasses: null, maskShares: null },
};

function figuresOf(outcome: ClipOutcome, method: ClipMethod, truth: ClipTruth | undefined) {
  const { frames, recordBytes, codecBytes, streamBytes, reports } = outcome;
  const isStream = streamBytes !== undefined;
  const precision = precisionOf(outcome, truth);
  const labels = reports.flatMap(({ topLabel }) => (topLabel === undefined ? [] : [topLabel]));
  const boxes = reports.flatMap(({ found }) => found ?? []);
  const shown = boxes.filter(({ score }) => score >= method.scoreMin);
  return {
    frames,
    recordBytes: spreadOf(recordBytes),
    codecBytes: isStream
      ? { mean: Math.round(streamBytes / frames), median: null, max: null }
      : spreadOf(codecBytes),
    ap50: precision.ap50,
    ap50ByClass: precision.byClass,
    detections: hasBoxes(outcome) ? countsOf(shown.map(({ label }) => label)) : null,
    topClasses: labels.length === 0 ? null : countsOf(labels),
    maskShares: maskSharesOf(outcome),
    hasFailed: false,
    remark: [method.remark, precision.remark].filter((text) => text !== '').join('; '),
  };
}

function hasBoxes({ reports }: ClipOutcome): boolean {
  return reports.some(({ found }) => found !== undefined);
}

function precisionOf(outcome: ClipOutcome, truth: ClipTruth | undefined) {
  const none = { ap50: null, byClass: null };
  if (truth === undefined || !hasBoxes(outcome)) return { ...none, remark: '' };
  const labels = truth.flat().map(({ label }) => label);
  const counted = Object.entries(countsOf(labels)).filter(([, count]) => count >= TRUTH_BOXES_MIN);
  if (counted.length === 0) {
    const boxes = `${labels.length} boxes in the clip`;
    const remark = `no AP50: the detector sees ${boxes}, of no class ${TRUTH_BOXES_MIN}`;
    return { ...none, remark };
  }
  const tally = new PrecisionTally();
  for (const [index, { found }] of outcome.reports.entries()) {
    tally.add(truth[index] ?? [], found ?? []);
  }
  const { byLabel } = tally.result();
  const precisions = counted.map(([label]) => [label, byLabel.get(label)?.ap50 ?? 0] as const);
  const byClass = precisions.map(([label, ap50]) => [label, Number(ap50.toFixed(6))] as const);
  const ap50 = rounded(mean(precisions.map(([, precision]) => precision)));
  return { ap50, byClass: Object.fromEntries(byClass), remark: '' };
}

function maskSharesOf({ reports }: ClipOutcome) {
  const sums = new Map<string, number>();
  for (const { maskShares } of reports) {
    for (const [label, share] of Object.entries(maskShares ?? {})) {
      sums.set(label, (sums.get(label) ?? 0) + share);
    }
  }
  if (!reports.some(({ maskShares }) => maskShares !== undefined)) return null;
  const shares = [...sums].map(([label, sum]) => [label, sum / reports.length] as const);
  const sorted = shares.toSorted(([, a], [, b]) => b - a);
  return Object.fromEntries(sorted.map(([label, share]) => [label, Number(share.toFixed(6))]));
}

function spreadOf(values: readonly number[]): Spread | null {
  const average = mean(values);
  if (average === undefined) return null;
  const middle = rounded(median(values), 0);
  return {
    mean: Math.round(average),
    median: middle,
    max: values.reduce((a, b) => Math.max(a, b), 0),
  };
}

/** Most first; of equals, the first that came. */
export function countsOf(labels: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a));
}
