import type { TopicEvent } from '#consumers/subscriber/balance-feed.ts';
import { totalOf } from '#consumers/subscriber/epoch-ledger.ts';
import { summarise } from '#consumers/subscriber/result-text.ts';
import { isPresentStatus } from '#schemas/camera-status.ts';
import type { Task } from '#schemas/result.ts';

/** What the live table shows of one camera. */
export interface CameraRow {
  readonly cameraId: string;
  readonly state: string;
  /** Published, over the last seconds. */
  readonly framesPerSecond: number;
  /** Undefined before the first frame. */
  readonly kilobytesPerFrame: number | undefined;
  readonly dropped: number;
  /** From capture to arrival here; undefined before the first result. */
  readonly ageMs: { readonly p50: number; readonly p95: number } | undefined;
  readonly seen: ReadonlyMap<Task, string>;
}

const FRAMES_WINDOW_MS = 5_000;
const AGES_WINDOW_MS = 15_000;

/** The present state of the cameras, from what passes on the topics. */
export class LiveView {
  readonly #cameras: ReadonlyMap<string, CameraView>;

  constructor(cameraIds: readonly string[]) {
    this.#cameras = new Map(cameraIds.map((id) => [id, new CameraView(id)]));
  }

  enter(event: TopicEvent, nowUs: number): void {
    switch (event.kind) {
      case 'frame':
        this.#cameras.get(event.frame.cameraId)?.frame(event.bytes, nowUs);
        break;
      case 'status':
        this.#cameras.get(event.status.cameraId)?.status(event.status);
        break;
      case 'result': {
        const { cameraId, task, captureTimeUs } = event.result;
        const view = this.#cameras.get(cameraId);
        view?.result(task, summarise(event.result), captureTimeUs, nowUs);
        break;
      }
      default:
    }
  }

  rows(nowUs: number): CameraRow[] {
    return [...this.#cameras.values()].map((view) => view.row(nowUs));
  }
}

interface StatusFacts {
  readonly epoch: number;
  readonly state: string;
  readonly dropped: Readonly<Record<string, number>>;
}

class CameraView {
  readonly #cameraId: string;
  #state = 'starting';
  #frames: { readonly timeUs: number; readonly bytes: number }[] = [];
  #firstFrameUs: number | undefined;
  #kilobytesPerFrame: number | undefined;
  #ages: { readonly timeUs: number; readonly ageMs: number }[] = [];
  /** Of this epoch, and of those before. */
  #dropped = 0;
  #droppedBefore = 0;
  #epoch = 0;
  readonly #seen = new Map<Task, string>();

  constructor(cameraId: string) {
    this.#cameraId = cameraId;
  }

  frame(bytes: number, nowUs: number): void {
    this.#firstFrameUs ??= nowUs;
    this.#frames.push({ timeUs: nowUs, bytes });
    this.#forgetOld(nowUs);
    const total = this.#frames.reduce((sum, frame) => sum + frame.bytes, 0);
    this.#kilobytesPerFrame = total / this.#frames.length / 1024;
  }

  status({ epoch, state, dropped }: StatusFacts): void {
    if (isPresentStatus(epoch, this.#epoch)) this.#state = state;
    if (epoch < this.#epoch) return;
    if (epoch > this.#epoch) this.#droppedBefore += this.#dropped;
    this.#epoch = epoch;
    this.#dropped = totalOf(dropped);
  }

  result(task: Task, text: string, captureTimeUs: number, nowUs: number): void {
    this.#seen.set(task, text);
    this.#ages.push({ timeUs: nowUs, ageMs: (nowUs - captureTimeUs) / 1000 });
    this.#forgetOld(nowUs);
  }

  row(nowUs: number): CameraRow {
    this.#forgetOld(nowUs);
    const sinceFirstMs = (nowUs - (this.#firstFrameUs ?? nowUs)) / 1000;
    const ages = this.#ages.map(({ ageMs }) => ageMs);
    const spanMs = Math.min(FRAMES_WINDOW_MS, Math.max(1_000, sinceFirstMs));
    return {
      cameraId: this.#cameraId,
      state: this.#state,
      framesPerSecond: (this.#frames.length * 1000) / spanMs,
      kilobytesPerFrame: this.#kilobytesPerFrame,
      dropped: this.#droppedBefore + this.#dropped,
      ageMs:
        ages.length === 0 ? undefined : { p50: percentile(ages, 0.5), p95: percentile(ages, 0.95) },
      seen: this.#seen,
    };
  }

  #forgetOld(nowUs: number): void {
    const within = (windowMs: number) => (item: { readonly timeUs: number }) =>
      item.timeUs > nowUs - windowMs * 1000;
    this.#frames = this.#frames.filter(within(FRAMES_WINDOW_MS));
    this.#ages = this.#ages.filter(within(AGES_WINDOW_MS));
  }
}

/** The nearest-rank percentile. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
