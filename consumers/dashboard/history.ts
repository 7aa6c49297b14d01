import { assert } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { FrameIdentity } from '#schemas/frame.ts';

/** Series of one camera for charts, oldest step first; all lists have the same length. */
export interface HistorySeries {
  readonly cameraId: string;
  /** Length of a step; a step's time is its beginning. */
  readonly stepMs: number;
  /** Unix time in milliseconds of the first step. */
  readonly startMs: number;
  /** Null: there was nothing in that step. A frame counts when its first result comes. */
  readonly framesPerSecond: readonly (number | null)[];
  /** Of 1,024 bytes. */
  readonly kilobytesPerFrame: readonly (number | null)[];
  /** Age of a frame at its first result: about the median, and the largest. Milliseconds. */
  readonly ageMs: readonly (number | null)[];
  readonly ageMsMax: readonly (number | null)[];
  /** Frames that the agent says it dropped. Null: it said nothing in that step. */
  readonly dropped: readonly (number | null)[];
  /** What was found, by label, the most frequent first; those that are too many are `other`. */
  readonly labels: readonly LabelSeries[];
}

export interface LabelSeries {
  /** `other` stands for all labels without a series of their own. */
  readonly label: string;
  /** Things with this label in a frame, on average. Null: nobody looked in that step. */
  readonly perFrame: readonly (number | null)[];
}

/** What a result says for the charts. */
export interface ResultFacts extends FrameIdentity {
  /** From capture to arrival; undefined where that says nothing of how fast frames are. */
  readonly ageMs: number | undefined;
  readonly bitstreamBytes: number;
  /**
   * One for each thing found, where the result is of the head whose findings are counted, and that
   * head ran; else undefined.
   */
  readonly labels?: readonly string[] | undefined;
}

/** What a status says for the charts: all frames dropped in its epoch, whatever the reason. */
export interface StatusFacts {
  readonly cameraId: string;
  readonly epoch: number;
  readonly dropped: number;
}

/** The last hour of each camera in steps of ten seconds. Pure: it is told the time. */
export class History {
  readonly #cameras = new Map<string, CameraHistory>();

  get cameraCount(): number {
    return this.#cameras.size;
  }

  /** Of all rings together; never above `LIMITS.historyBytesMax`. */
  get bytes(): number {
    return this.#cameras.size * RING_BYTES;
  }

  enterResult(facts: ResultFacts, nowMs: number): void {
    this.#camera(facts.cameraId, nowMs).enterResult(facts, nowMs);
  }

  enterStatus(facts: StatusFacts, nowMs: number): void {
    this.#camera(facts.cameraId, nowMs).enterStatus(facts, nowMs);
  }

  /** Steps that are over; undefined for a camera that nothing was entered of. */
  read(cameraId: string, nowMs: number): HistorySeries | undefined {
    return this.#cameras.get(cameraId)?.read(cameraId, nowMs);
  }

  forget(cameraId: string): void {
    this.#cameras.delete(cameraId);
  }

  /** One camera too many takes the place of the one that has been silent for the longest. */
  #camera(cameraId: string, nowMs: number): CameraHistory {
    const known = this.#cameras.get(cameraId);
    if (known !== undefined) return known;
    if ((this.#cameras.size + 1) * RING_BYTES > LIMITS.historyBytesMax) {
      this.#cameras.delete(this.#mostSilent());
    }
    const camera = new CameraHistory(nowMs);
    this.#cameras.set(cameraId, camera);
    return camera;
  }

  #mostSilent(): string {
    let [found, lastMs] = ['', Number.POSITIVE_INFINITY];
    for (const [cameraId, camera] of this.#cameras) {
      if (camera.lastMs < lastMs) [found, lastMs] = [cameraId, camera.lastMs];
    }
    return found;
  }
}

const STEPS = LIMITS.historyMs / LIMITS.historyStepMs;
/** Series of labels; the last is that of all others. */
const LABELS = LIMITS.historyLabelsMax + 1;
const OTHER = LABELS - 1;
/** Ages of the step under way, of which the median is taken. */
const AGES = 32;

const FLOAT_RINGS = 4;
const COUNT_RINGS = 2 + LABELS;
/** One allocation a camera: floats first, so that every view is aligned. */
const RING_BYTES = 4 * (FLOAT_RINGS * STEPS + AGES) + 2 * COUNT_RINGS * STEPS;
assert(RING_BYTES <= LIMITS.historyCameraBytesMax, 'the rings of a camera are within their budget');

class CameraHistory {
  lastMs: number;
  /** Of the step under way, and of the oldest one that was entered: counted from the epoch. */
  #step: number;
  readonly #firstStep: number;
  readonly #frames: Uint16Array;
  /** Bytes of these frames' bitstreams. */
  readonly #bytes: Float32Array;
  /** NaN in these three: nothing was told. */
  readonly #ageMs: Float32Array;
  readonly #ageMsMax: Float32Array;
  readonly #dropped: Float32Array;
  /** Results whose findings were counted, and these counts, label after label. */
  readonly #counted: Uint16Array;
  readonly #found: Uint16Array;
  readonly #ages: AgeSample;
  readonly #labels: (string | undefined)[] = new Array(OTHER).fill(undefined);
  #newest: FrameIdentity | undefined;
  #status: StatusFacts | undefined;

  constructor(nowMs: number) {
    this.lastMs = nowMs;
    this.#step = stepOf(nowMs);
    this.#firstStep = this.#step;
    const memory = new ArrayBuffer(RING_BYTES);
    let at = 0;
    const floats = (length: number) => {
      const view = new Float32Array(memory, at, length);
      at += view.byteLength;
      return view;
    };
    const counts = (length: number) => {
      const view = new Uint16Array(memory, at, length);
      at += view.byteLength;
      return view;
    };
    this.#bytes = floats(STEPS);
    this.#ageMs = floats(STEPS).fill(Number.NaN);
    this.#ageMsMax = floats(STEPS).fill(Number.NaN);
    this.#dropped = floats(STEPS).fill(Number.NaN);
    this.#ages = new AgeSample(floats(AGES));
    this.#frames = counts(STEPS);
    this.#counted = counts(STEPS);
    this.#found = counts(LABELS * STEPS);
  }

  enterResult(facts: ResultFacts, nowMs: number): void {
    const slot = this.#advance(nowMs);
    if (isLater(facts, this.#newest)) {
      const { cameraId, epoch, sequence } = facts;
      this.#newest = { cameraId, epoch, sequence };
      add(this.#frames, slot, 1);
      this.#bytes[slot] = (this.#bytes[slot] ?? 0) + facts.bitstreamBytes;
      if (facts.ageMs !== undefined) this.#enterAge(facts.ageMs, slot);
    }
    if (facts.labels === undefined) return;
    add(this.#counted, slot, 1);
    for (const label of facts.labels) {
      add(this.#found, this.#seriesOf(label) * STEPS + slot, 1);
    }
  }

  #enterAge(ageMs: number, slot: number): void {
    this.#ageMsMax[slot] = Math.max(told(this.#ageMsMax[slot]) ?? 0, ageMs);
    this.#ages.add(ageMs);
  }

  /** Counts are of the whole epoch, so what counts is how they grow; an older one tells nothing. */
  enterStatus(facts: StatusFacts, nowMs: number): void {
    const slot = this.#advance(nowMs);
    const before = this.#status;
    if (before !== undefined && facts.epoch < before.epoch) return;
    this.#status = facts;
    // What was dropped before anyone looked belongs to no step.
    const known = before?.epoch === facts.epoch ? before.dropped : 0;
    const grown = before === undefined ? 0 : Math.max(0, facts.dropped - known);
    this.#dropped[slot] = (told(this.#dropped[slot]) ?? 0) + grown;
  }

  read(cameraId: string, nowMs: number): HistorySeries {
    this.#advance(nowMs);
    const first = Math.max(this.#firstStep, this.#step - STEPS + 1);
    const slots = Array.from({ length: this.#step - first }, (_, at) => (first + at) % STEPS);
    const ofFrames = (value: (slot: number, frames: number) => number) =>
      slots.map((slot) => {
        const frames = this.#frames[slot] ?? 0;
        return frames === 0 ? null : value(slot, frames);
      });
    return {
      cameraId,
      stepMs: LIMITS.historyStepMs,
      startMs: first * LIMITS.historyStepMs,
      framesPerSecond: ofFrames((_, frames) => frames / (LIMITS.historyStepMs / 1000)),
      kilobytesPerFrame: ofFrames((slot, frames) =>
        rounded((this.#bytes[slot] ?? 0) / frames / 1024),
      ),
      ageMs: slots.map((slot) => told(this.#ageMs[slot])),
      ageMsMax: slots.map((slot) => told(this.#ageMsMax[slot])),
      dropped: slots.map((slot) => told(this.#dropped[slot])),
      labels: this.#readLabels(slots),
    };
  }

  #readLabels(slots: readonly number[]): LabelSeries[] {
    const series = [...this.#labels, 'other'].flatMap((label, index) => {
      const ring = this.#ring(index);
      const sum = slots.reduce((all, slot) => all + (ring[slot] ?? 0), 0);
      return label === undefined || sum === 0 ? [] : [{ label, ring, sum, index }];
    });
    // The others come last, however many they are.
    const isOther = (index: number) => Number(index === OTHER);
    series.sort((a, b) => isOther(a.index) - isOther(b.index) || b.sum - a.sum);
    return series.map(({ label, ring }) => ({
      label,
      perFrame: slots.map((slot) => {
        const counted = this.#counted[slot] ?? 0;
        return counted === 0 ? null : rounded((ring[slot] ?? 0) / counted);
      }),
    }));
  }

  /** Of a new label: a free one, or one whose label was not seen for an hour, or that of others. */
  #seriesOf(label: string): number {
    const known = this.#labels.indexOf(label);
    if (known >= 0) return known;
    const free = this.#labels.findIndex(
      (one, index) => one === undefined || this.#ring(index).every((count) => count === 0),
    );
    if (free < 0) return OTHER;
    this.#labels[free] = label;
    return free;
  }

  #ring(series: number): Uint16Array {
    return this.#found.subarray(series * STEPS, (series + 1) * STEPS);
  }

  /** Empties the steps that have begun since. A clock that goes back stays in the newest step. */
  #advance(nowMs: number): number {
    const step = stepOf(nowMs);
    if (step > this.#step) {
      this.#ageMs[this.#step % STEPS] = this.#ages.median();
      this.#ages.clear();
      const begun = Math.min(step - this.#step, STEPS);
      for (let back = 0; back < begun; back++) this.#clear((step - back) % STEPS);
      this.#step = step;
    }
    this.lastMs = Math.max(this.lastMs, nowMs);
    return this.#step % STEPS;
  }

  #clear(slot: number): void {
    for (const ring of [this.#frames, this.#bytes, this.#counted]) ring[slot] = 0;
    for (const ring of [this.#ageMs, this.#ageMsMax, this.#dropped]) ring[slot] = Number.NaN;
    for (let series = 0; series < LABELS; series++) this.#found[series * STEPS + slot] = 0;
  }
}

/**
 * At most so many values as there is room for, evenly from all that came: when it is full, every
 * second one goes, and from then on half as many are taken.
 */
class AgeSample {
  readonly #values: Float32Array;
  #size = 0;
  #seen = 0;
  #stride = 1;

  constructor(values: Float32Array) {
    this.#values = values;
  }

  clear(): void {
    this.#size = 0;
    this.#seen = 0;
    this.#stride = 1;
  }

  add(value: number): void {
    if (this.#seen++ % this.#stride !== 0) return;
    this.#values[this.#size++] = value;
    if (this.#size < this.#values.length) return;
    for (let kept = 0; 2 * kept < this.#size; kept++) {
      this.#values[kept] = this.#values[2 * kept] ?? 0;
    }
    this.#size /= 2;
    this.#stride *= 2;
  }

  /** NaN where there is no value. */
  median(): number {
    const sorted = this.#values.slice(0, this.#size).sort();
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  }
}

function stepOf(nowMs: number): number {
  return Math.floor(nowMs / LIMITS.historyStepMs);
}

/** Results of one frame come from several heads; whichever comes first counts the frame. */
function isLater(frame: FrameIdentity, than: FrameIdentity | undefined): boolean {
  if (than === undefined || frame.epoch > than.epoch) return true;
  return frame.epoch === than.epoch && frame.sequence > than.sequence;
}

/** A counter that is full stays so. */
function add(counters: Uint16Array, at: number, count: number): void {
  counters[at] = Math.min(0xffff, (counters[at] ?? 0) + count);
}

/** Null where nothing was. */
function told(value = Number.NaN): number | null {
  return Number.isNaN(value) ? null : rounded(value);
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
