import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { AgreementTally } from './agreement.ts';
import { PrecisionTally } from './average-precision.ts';
import type { CocoPicture } from './coco-folder.ts';
import { ConfusionTally } from './confusion.ts';
import type { EncoderCost, Method, Outcome, Picture, Times } from './method.ts';
import { decodeRaster } from './raster.ts';
import { type Teachers, teachersView } from './teachers.ts';

/** Bytes a picture. */
export interface Bytes {
  readonly mean: number;
  readonly median: number;
}

/** A method, measured. Null is what was not, or what the truth says nothing of. */
export interface Row {
  readonly method: string;
  readonly setting: string;
  readonly pictures: number;
  /** The whole record value. */
  readonly recordBytes: Bytes | null;
  /** The codec's part of it. */
  readonly codecBytes: Bytes | null;
  readonly mAP: number | null;
  readonly mAP50: number | null;
  readonly personAP50: number | null;
  /** Share of pictures whose best class is the classifier's on the uncompressed picture. */
  readonly top1Agreement: number | null;
  /** Of the row's class maps with the segmenter's on the uncompressed pictures. */
  readonly mIoU: number | null;
  /** Means over the pictures; one frame at a time, one thread. */
  readonly times: Times | null;
  readonly encoder: EncoderCost | null;
  /** It was tried, and threw. */
  readonly hasFailed: boolean;
  /** Why there are no figures, or what else is to be said of them. */
  readonly remark: string;
}

export interface FailedPicture {
  readonly name: string;
  readonly reason: string;
}

export interface Evaluation {
  readonly rows: readonly Row[];
  readonly failedPictures: readonly FailedPicture[];
}

export interface EvaluateOptions {
  readonly pictures: readonly CocoPicture[];
  readonly methods: readonly Method[];
  readonly teachers: Teachers;
  readonly clock: Clock;
  /** One line about how far it is, not more than one a second. */
  readonly progress: (line: string) => void;
}

const PROGRESS_INTERVAL_MS = 1_000;

/** All methods on one picture, then the next picture: of each picture only figures are kept. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { pictures, methods, teachers, clock, progress } = options;
  const measurements = methods.map((method) => new Measurement(method));
  const failedPictures: FailedPicture[] = [];
  const startMs = clock.monotonicMs();
  let toldMs = Number.NEGATIVE_INFINITY;
  for (const [index, picture] of pictures.entries()) {
    const opened = await open(picture, teachers).catch((error) => {
      // libvips tells its whole story, a line for each step.
      const reason = String((error as Error).message).split('\n')[0] ?? '';
      failedPictures.push({ name: picture.name, reason });
      progress(`${picture.name} is left out: ${reason}`);
    });
    if (opened) for (const each of measurements) await each.add(opened);
    const nowMs = clock.monotonicMs();
    const isLast = index === pictures.length - 1;
    if (nowMs - toldMs < PROGRESS_INTERVAL_MS && !isLast) continue;
    toldMs = nowMs;
    const seconds = ((nowMs - startMs) / 1000).toFixed(0);
    progress(`${index + 1} of ${pictures.length} pictures, ${seconds} s`);
  }
  return { rows: measurements.map((each) => each.row()), failedPictures };
}

async function open(picture: CocoPicture, teachers: Teachers): Promise<Picture> {
  const { path, width, height } = picture;
  const raster = await decodeRaster(path);
  if (raster.width !== width || raster.height !== height) {
    const sizes = `${raster.width}x${raster.height}, instances.json says ${width}x${height}`;
    throw new HalfsightError('usage-invalid', `it is ${sizes}`);
  }
  return { ...picture, raster, teachersView: await teachersView(raster, teachers) };
}

/** One method, and what it made of the pictures so far. */
class Measurement {
  readonly #method: Method;
  readonly #tally = new PrecisionTally();
  readonly #agreement = new AgreementTally();
  readonly #confusion = new ConfusionTally();
  readonly #recordBytes: number[] = [];
  readonly #codecBytes: number[] = [];
  readonly #encodeMs: number[] = [];
  readonly #decodeMs: number[] = [];
  #pictures = 0;
  #detects = false;
  #failure: string | undefined;

  constructor(method: Method) {
    this.#method = method;
  }

  /** What throws once is not asked again: figures of other pictures than the rest's mislead. */
  async add(picture: Picture): Promise<void> {
    const { run } = this.#method;
    if (run === undefined || this.#failure !== undefined) return;
    try {
      this.#count(picture, await run(picture));
    } catch (error) {
      this.#failure = `failed on ${picture.name}: ${describeError(error)}`;
    }
  }

  #count({ truth, teachersView: wanted }: Picture, outcome: Outcome): void {
    const { recordBytes, codecBytes, found, topClass, classMap, times } = outcome;
    this.#pictures++;
    if (recordBytes !== undefined) this.#recordBytes.push(recordBytes);
    if (codecBytes !== undefined) this.#codecBytes.push(codecBytes);
    if (times !== undefined) {
      this.#encodeMs.push(times.encodeMs);
      this.#decodeMs.push(times.decodeMs);
    }
    this.#agreement.add(wanted.topClass, topClass);
    if (wanted.classMap && classMap) this.#confusion.add(wanted.classMap, classMap);
    if (found === undefined) return;
    this.#detects = true;
    this.#tally.add(truth, found);
  }

  row(): Row {
    const { name: method, setting, remark, encoder = null } = this.#method;
    const title = { method, setting, encoder };
    if (this.#failure !== undefined) return { ...title, ...EMPTY, remark: this.#failure };
    const { mAP, mAP50, byLabel } = this.#tally.result();
    const accuracy = (value: number | undefined) => (this.#detects ? rounded(value) : null);
    return {
      ...title,
      pictures: this.#pictures,
      recordBytes: bytesOf(this.#recordBytes),
      codecBytes: bytesOf(this.#codecBytes),
      mAP: accuracy(mAP),
      mAP50: accuracy(mAP50),
      personAP50: accuracy(byLabel.get('person')?.ap50),
      top1Agreement: rounded(this.#agreement.share()),
      mIoU: rounded(this.#confusion.meanIou()),
      times: this.#times(),
      hasFailed: false,
      remark,
    };
  }

  #times(): Times | null {
    if (this.#encodeMs.length === 0) return null;
    return { encodeMs: meanOf(this.#encodeMs), decodeMs: meanOf(this.#decodeMs) };
  }
}

const EMPTY = {
  pictures: 0,
  recordBytes: null,
  codecBytes: null,
  mAP: null,
  mAP50: null,
  personAP50: null,
  top1Agreement: null,
  mIoU: null,
  times: null,
  hasFailed: true,
};

function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toFixed(6));
}

/** Milliseconds, to the hundredth. */
function meanOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number(mean.toFixed(2));
}

function bytesOf(values: readonly number[]): Bytes | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const low = sorted[Math.floor(middle)] ?? 0;
  const high = sorted[Math.ceil(middle)] ?? 0;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean: Math.round(mean), median: Math.round((low + high) / 2) };
}
