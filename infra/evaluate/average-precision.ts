/**
 * Average precision of detections by the rules of COCO (cocodataset.org/#detection-eval), as its
 * own program pycocotools computes it, roundings included: ten IoU thresholds from 0.50 to 0.95,
 * precision read at 101 recalls, at most 100 boxes of a class in a picture, objects of every size,
 * and a box that falls on a crowd neither right nor wrong. test/golden/coco-ap.json holds figures
 * of pycocotools to compare with.
 */

/** Left edge, top edge, width, height; any unit, as long as truth and found have the same. */
export type PlacedBox = readonly [x: number, y: number, width: number, height: number];

export interface TruthBox {
  readonly label: string;
  readonly box: PlacedBox;
  /** A group that nobody counted: finding it is no success, and no failure. */
  readonly isCrowd: boolean;
}

export interface FoundBox {
  readonly label: string;
  readonly score: number;
  readonly box: PlacedBox;
}

/** Fractions. Undefined where the truth has no object that counts. */
export interface Precision {
  /** Mean over the thresholds and over the classes that the truth has. */
  readonly mAP: number | undefined;
  /** The same at IoU 0.50 alone. */
  readonly mAP50: number | undefined;
  readonly byLabel: ReadonlyMap<string, { readonly ap: number; readonly ap50: number }>;
}

const BOXES_PER_CLASS_MAX = 100;
const IOU_THRESHOLDS = linspace(0.5, 0.95, 10);
const RECALLS = linspace(0, 1, 101);
/** NumPy's `spacing(1)`, which pycocotools adds to a divisor. */
const EPSILON = 2 ** -52;

/** The boxes of one class, of all pictures. Bit t of a mask is about threshold t. */
interface ClassTally {
  positives: number;
  readonly scores: number[];
  readonly rightMasks: number[];
  readonly ignoredMasks: number[];
}

/** Takes one picture after the other; only scores and verdicts are kept of each. */
export class PrecisionTally {
  readonly #classes = new Map<string, ClassTally>();

  /** Of boxes with the same score, those of the picture that was added first come first. */
  add(truth: readonly TruthBox[], found: readonly FoundBox[]): void {
    const labels = new Set([...truth, ...found].map(({ label }) => label));
    for (const label of labels) {
      const ofClass = ({ label: other }: { label: string }) => other === label;
      this.#addClass(label, truth.filter(ofClass), found.filter(ofClass));
    }
  }

  result(): Precision {
    const byLabel = new Map<string, { ap: number; ap50: number }>();
    for (const [label, tally] of this.#classes) {
      if (tally.positives === 0) continue;
      const precisions = IOU_THRESHOLDS.map((_, threshold) => precisionOf(tally, threshold));
      byLabel.set(label, { ap: mean(precisions), ap50: precisions[0] ?? 0 });
    }
    const classes = [...byLabel.values()];
    if (classes.length === 0) return { mAP: undefined, mAP50: undefined, byLabel };
    return {
      mAP: mean(classes.map(({ ap }) => ap)),
      mAP50: mean(classes.map(({ ap50 }) => ap50)),
      byLabel,
    };
  }

  #addClass(label: string, truth: readonly TruthBox[], found: readonly FoundBox[]): void {
    const empty = { positives: 0, scores: [], rightMasks: [], ignoredMasks: [] };
    const tally: ClassTally = this.#classes.get(label) ?? empty;
    this.#classes.set(label, tally);
    const best = found.toSorted((a, b) => b.score - a.score).slice(0, BOXES_PER_CLASS_MAX);
    // Matching takes the objects that count first.
    const ordered = truth.toSorted((a, b) => Number(a.isCrowd) - Number(b.isCrowd));
    const overlaps = best.map(({ box }) => ordered.map((object) => overlapOf(box, object)));
    const right = best.map(() => 0);
    const ignored = best.map(() => 0);
    for (const [threshold, iouMin] of IOU_THRESHOLDS.entries()) {
      const partners = matchBoxes(ordered, overlaps, iouMin);
      for (const [index, partner] of partners.entries()) {
        const masks = partner?.isCrowd ? ignored : right;
        if (partner !== undefined) masks[index] = (masks[index] ?? 0) | (1 << threshold);
      }
    }
    tally.positives += truth.filter(({ isCrowd }) => !isCrowd).length;
    tally.scores.push(...best.map(({ score }) => score));
    tally.rightMasks.push(...right);
    tally.ignoredMasks.push(...ignored);
  }
}

/**
 * The object that each box found: best box first, the object that it overlaps most and that no
 * better box has taken. A crowd may be taken any number of times, but only by a box that nothing
 * else fits.
 */
function matchBoxes(
  ordered: readonly TruthBox[],
  overlaps: readonly (readonly number[])[],
  iouMin: number,
): (TruthBox | undefined)[] {
  const taken = new Set<TruthBox>();
  return overlaps.map((row) => {
    let least = Math.min(iouMin, 1 - 1e-10);
    let partner: TruthBox | undefined;
    for (const [index, object] of ordered.entries()) {
      if (taken.has(object) && !object.isCrowd) continue;
      if (partner !== undefined && !partner.isCrowd && object.isCrowd) break;
      const overlap = row[index] ?? 0;
      if (overlap < least) continue;
      least = overlap;
      partner = object;
    }
    if (partner !== undefined) taken.add(partner);
    return partner;
  });
}

/** Intersection over union; over the box's own area where the object is a crowd. */
function overlapOf(box: PlacedBox, { box: object, isCrowd }: TruthBox): number {
  const width = Math.min(box[2] + box[0], object[2] + object[0]) - Math.max(box[0], object[0]);
  const height = Math.min(box[3] + box[1], object[3] + object[1]) - Math.max(box[1], object[1]);
  if (width <= 0 || height <= 0) return 0;
  const intersection = width * height;
  const own = box[2] * box[3];
  return intersection / (isCrowd ? own : own + object[2] * object[3] - intersection);
}

/** Of one class at one threshold: the mean over the recalls of the best precision from there on. */
function precisionOf(tally: ClassTally, threshold: number): number {
  const bit = 1 << threshold;
  const order = [...tally.scores.keys()].sort(
    (a, b) => (tally.scores[b] ?? 0) - (tally.scores[a] ?? 0),
  );
  const recalls: number[] = [];
  const precisions: number[] = [];
  let right = 0;
  let wrong = 0;
  for (const index of order) {
    if ((tally.rightMasks[index] ?? 0) & bit) right++;
    else if (!((tally.ignoredMasks[index] ?? 0) & bit)) wrong++;
    recalls.push(right / tally.positives);
    precisions.push(right / (wrong + right + EPSILON));
  }
  for (let index = precisions.length - 2; index >= 0; index--) {
    precisions[index] = Math.max(precisions[index] ?? 0, precisions[index + 1] ?? 0);
  }
  let at = 0;
  const sampled = RECALLS.map((recall) => {
    while (at < recalls.length && (recalls[at] ?? 0) < recall) at++;
    return precisions[at] ?? 0;
  });
  return mean(sampled);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** NumPy's, with its roundings: a recall of 0.6 must be on the same side of its threshold. */
function linspace(start: number, stop: number, count: number): number[] {
  const step = (stop - start) / (count - 1);
  return Array.from({ length: count }, (_, index) =>
    index === count - 1 ? stop : index * step + start,
  );
}
