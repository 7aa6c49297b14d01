import { type CameraStatus, isPresentStatus } from '#schemas/camera-status.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import type { Detection, Result, Task } from '#schemas/result.ts';
import { short, toldRecord } from './camera-results.ts';
import type { CameraResults, CameraRow, LabelScore } from './protocol.ts';
import type { Received, ResultRecord } from './received.ts';

/** The newest result of a task, which is read again where somebody watches. */
interface Kept extends FrameIdentity {
  readonly record: ResultRecord;
}

/** The newest frame, but for what was found in it. */
type NewestFrame = FrameIdentity &
  Omit<CameraResults, 'cameraId' | 'classification' | 'detection' | 'segmentation'>;

const TOP_LABELS = 3;
/** What a frame weighs in the mean of its camera's sizes. */
const SIZE_WEIGHT = 1 / 8;

/** One camera as the wall shows it, from its statuses and results. */
export class CameraView {
  readonly cameraId: string;
  #status: CameraStatus | undefined;
  #statusMs = 0;
  #offlineMs: number | undefined;
  readonly #newest = new Map<Task, Kept>();
  #frame: NewestFrame | undefined;
  #topLabels: readonly LabelScore[] = [];
  #counts: CameraRow['counts'] = {};
  #bytesPerFrame: number | undefined;
  #version = 0;
  #text: string | undefined;

  constructor(cameraId: string) {
    this.cameraId = cameraId;
  }

  get state(): CameraRow['state'] {
    return this.#status?.state ?? 'unknown';
  }

  /** Nothing more is to be expected of it: its source has ended, or its agent was stopped. */
  get isOver(): boolean {
    return this.state === 'ended' || (this.state === 'offline' && this.#status?.final === true);
  }

  get agentId(): string {
    return this.#status?.agentId ?? '';
  }

  get detail(): string {
    return this.#status?.detail ?? '';
  }

  /** When its agent last said anything, milliseconds since the Unix epoch. */
  get statusMs(): number {
    return this.#statusMs;
  }

  /** Since when it is offline; undefined while it is not. */
  get offlineMs(): number | undefined {
    return this.#offlineMs;
  }

  /** Its settings let small pictures leave it, as its agent says. */
  get sendsPictures(): boolean {
    return this.#status?.sendsPictures ?? false;
  }

  /** Counts what is new in `resultsText`. */
  get resultsVersion(): number {
    return this.#version;
  }

  /** Whether it says more than other figures: a row that everybody is told soon. */
  enterStatus(status: CameraStatus, heardMs: number): boolean {
    const known = this.#status;
    // Statuses from before this server began are read while new ones come.
    if (known !== undefined && status.timeUs < known.timeUs) return false;
    if (!isPresentStatus(status.epoch, known?.epoch ?? 0)) return false;
    this.#status = status;
    this.#statusMs = heardMs;
    if (status.state !== 'offline') this.#offlineMs = undefined;
    else this.#offlineMs ??= this.#statusMs;
    const { state, detail, agentId, epoch, sendsPictures } = status;
    return (
      state !== known?.state ||
      detail !== known.detail ||
      agentId !== known.agentId ||
      epoch !== known.epoch ||
      sendsPictures !== known.sendsPictures
    );
  }

  /** Whether it is the first result of a frame newer than all before. */
  enterResult(result: Result, { arrival, record }: Received): boolean {
    const isFirst = this.#frame === undefined || isLater(result, this.#frame);
    // Redriven frames come late: what is newer stays.
    const known = this.#newest.get(result.task);
    if (known !== undefined && !isLater(result, known)) return false;
    const { cameraId, epoch, sequence, captureTimeUs, sourceWidth, sourceHeight } = result;
    const id = frameId(result);
    this.#newest.set(result.task, { cameraId, epoch, sequence, record });
    this.#sum(result);
    this.#version++;
    this.#text = undefined;
    if (!isFirst) return false;
    this.#frame = {
      ...{ cameraId, epoch, sequence, frameId: id, captureTimeUs, sourceWidth, sourceHeight },
      ...arrival,
    };
    const { bitstreamBytes } = result.lineage;
    const mean = this.#bytesPerFrame ?? bitstreamBytes;
    this.#bytesPerFrame = mean + SIZE_WEIGHT * (bitstreamBytes - mean);
    return true;
  }

  row(): CameraRow {
    const status = this.#status;
    const frame = this.#frame;
    const lastFrameTimeUs = Math.max(status?.lastFrameTimeUs ?? 0, frame?.captureTimeUs ?? 0);
    return {
      cameraId: this.cameraId,
      state: this.state,
      detail: this.detail,
      agentId: this.agentId,
      epoch: Math.max(status?.epoch ?? 0, frame?.epoch ?? 0),
      framesPerSecond: status?.framesPerSecond ?? 0,
      framesPerSecondLimit: status?.framesPerSecondLimit ?? null,
      ratePoint: status?.ratePoint ?? null,
      kilobytesPerFrame:
        this.#bytesPerFrame === undefined ? null : Math.round(this.#bytesPerFrame / 10.24) / 100,
      ageMs: frame?.ageMs ?? null,
      lastFrameTimeUs: lastFrameTimeUs === 0 ? null : lastFrameTimeUs,
      captured: status?.captured ?? 0,
      published: status?.published ?? 0,
      dropped: status?.dropped ?? {},
      reconnects: status?.reconnects ?? 0,
      sendsPictures: this.sendsPictures,
      topLabels: this.#topLabels,
      counts: this.#counts,
    };
  }

  /** JSON of `CameraResults`; undefined before the first. */
  resultsText(): string | undefined {
    const frame = this.#frame;
    if (frame === undefined) return undefined;
    this.#text ??= JSON.stringify(this.#results(frame));
    return this.#text;
  }

  /** For the row. */
  #sum(result: Result): void {
    if (result.task === 'classification') {
      const top = result.classifications.slice(0, TOP_LABELS);
      this.#topLabels = top.map(({ label, score }) => [label, short(score)]);
    } else if (result.task === 'detection') {
      this.#counts = countsOf(result.detections);
    }
  }

  #results({ epoch, sequence, ...frame }: NewestFrame): CameraResults {
    const told = [...this.#newest].map(([task, kept]) => {
      return toldRecord(task, kept.record, frameId(kept));
    });
    return { ...frame, cameraId: this.cameraId, ...Object.assign({}, ...told) };
  }
}

function isLater(one: FrameIdentity, other: FrameIdentity): boolean {
  if (one.epoch !== other.epoch) return one.epoch > other.epoch;
  return one.sequence > other.sequence;
}

function countsOf(found: readonly Detection[]): CameraRow['counts'] {
  const counts: Record<string, number> = {};
  for (const { label } of found) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}
