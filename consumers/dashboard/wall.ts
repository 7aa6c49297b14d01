import { LIMITS } from '#runtime/limits.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import type { Preview } from '#schemas/preview.ts';
import type { Result } from '#schemas/result.ts';
import { ConsumersJudge } from './consumers-judge.ts';
import { summarise } from './fleet-summary.ts';
import { History, type HistorySeries } from './history.ts';
import { type Backlog, LagBook, type OffsetsLook, partitionLag } from './lag-book.ts';
import { NewestPreviews } from './newest-previews.ts';
import type { CameraAnswer, FleetMessage, PartitionLag, PreviewFacts } from './protocol.ts';
import { RateWindow } from './rate-window.ts';
import type { Received } from './received.ts';
import { RecentFrames } from './recent-frames.ts';
import type { Telemetry } from './telemetry.ts';
import { WallState } from './wall-state.ts';

/**
 * Everything that the wall knows, in bounded memory: it is told what comes from Kafka and what time
 * it is, and says what pages are to show. Times are milliseconds since the Unix epoch.
 */
export class Wall {
  readonly recent = new RecentFrames();
  readonly history = new History();
  readonly previews = new NewestPreviews();
  readonly state: WallState;
  readonly #judge: ConsumersJudge;
  readonly #lags = new LagBook();
  readonly #published = new RateWindow();
  readonly #telemetry: Telemetry;
  #backlogs: readonly Backlog[] | undefined;
  #lookMs: number;
  #trouble: { readonly text: string; readonly sinceMs: number } | undefined;

  constructor(telemetry: Telemetry, nowMs: number) {
    this.#telemetry = telemetry;
    this.#judge = new ConsumersJudge(nowMs);
    this.#lookMs = nowMs;
    this.state = new WallState({
      onForgotten: (cameraId) => {
        this.recent.forget(cameraId);
        this.history.forget(cameraId);
        this.previews.forget(cameraId);
      },
    });
    telemetry.gauge('cameras', () => this.state.shown);
    telemetry.gauge('cameras-without-row', () => this.state.untold);
    telemetry.gauge('frames-redriven', () => this.state.redriven);
    telemetry.gauge('recent-bytes', () => this.recent.bytes);
    telemetry.gauge('recent-evicted', () => this.recent.evicted);
    telemetry.gauge('preview-bytes', () => this.previews.bytes);
    telemetry.gauge('previews-evicted', () => this.previews.evicted);
    telemetry.gauge('history-bytes', () => this.history.bytes);
    telemetry.gauge('consumers-silent', () => Number(this.#judge.verdict.state === 'silent'));
  }

  result(result: Result, received: Received, nowMs: number): void {
    const { arrival, partition } = received;
    this.#judge.answered(partition, nowMs);
    if (!this.state.result(result, received, nowMs)) {
      this.#telemetry.count('no-room');
      return;
    }
    this.recent.enter(result, received);
    const { cameraId, epoch, sequence, lineage } = result;
    const { bitstreamBytes } = lineage;
    const isCounted = result.task === 'detection' && result.status === 'ok';
    const labels = isCounted ? result.detections.map(({ label }) => label) : undefined;
    const ageMs = result.redrives > 0 ? undefined : arrival.ageMs;
    const facts = { cameraId, epoch, sequence, ageMs, bitstreamBytes, labels };
    this.history.enterResult(facts, nowMs);
  }

  status(status: CameraStatus, nowMs: number): void {
    if (!this.state.status(status, nowMs)) {
      this.#telemetry.count('no-room');
      return;
    }
    const { cameraId, epoch } = status;
    if (this.state.camera(cameraId)?.sendsPictures !== true) this.previews.forget(cameraId);
    const dropped = Object.values(status.dropped).reduce((sum, count) => sum + count, 0);
    this.history.enterStatus({ cameraId, epoch, dropped }, nowMs);
  }

  /** One that was said before this server began. */
  pastStatus(status: CameraStatus): void {
    if (!this.state.status(status, status.timeUs / 1000)) this.#telemetry.count('no-room');
  }

  preview(preview: Preview, nowMs: number): void {
    // Nobody shall see pictures of a camera that is not marked as one that sends them.
    if (this.state.camera(preview.cameraId)?.sendsPictures === true) {
      this.previews.enter(preview, nowMs);
    } else {
      this.#telemetry.count('previews-unannounced');
    }
  }

  deadLetter(reason: string, nowMs: number): void {
    this.state.deadLetter(reason, nowMs);
  }

  unreadable(nowMs: number): void {
    this.state.unreadable.add(nowMs);
  }

  /** What Kafka says of the frame topic now. Whether consumers are judged otherwise than before. */
  look(look: OffsetsLook, nowMs: number): boolean {
    const { state } = this.#judge.verdict;
    const before = this.#backlogs;
    const backlogs = this.#lags.look(look, nowMs);
    if (before !== undefined) this.#published.add(nowMs, endOf(backlogs) - endOf(before));
    this.#backlogs = backlogs;
    this.#lookMs = nowMs;
    this.#trouble = undefined;
    this.#judge.look(backlogs, nowMs, look.members);
    return this.#judge.verdict.state !== state;
  }

  /** See `LagBook.seed`. Whether what waits is older still than `atMs`. */
  seedLag(offsets: ReadonlyMap<number, number>, atMs: number): boolean {
    this.#lags.seed(offsets, atMs);
    return (this.#backlogs ?? []).some(
      ({ partition, endOffset, records }) => endOffset - records < (offsets.get(partition) ?? 0),
    );
  }

  /** Nothing can be read now. */
  lose(why: string, nowMs: number): void {
    this.#trouble = { text: why, sinceMs: this.#trouble?.sinceMs ?? nowMs };
    this.#judge.lose(why, nowMs);
  }

  get isReading(): boolean {
    return this.#backlogs !== undefined && this.#trouble === undefined;
  }

  /** Why nothing can be read now. */
  get trouble(): string | undefined {
    return this.#trouble?.text;
  }

  fleet(nowMs: number): FleetMessage {
    if (this.isReading && nowMs - this.#lookMs > 3 * LIMITS.wallTellIntervalMs) {
      this.lose('Kafka does not answer.', nowMs);
    }
    const { state } = this;
    this.previews.forgetOld(nowMs);
    const facts = { judge: this.#judge, backlogs: this.#backlogs, published: this.#published };
    return summarise({ ...facts, state, kafka: this.#trouble }, nowMs);
  }

  partitions(): PartitionLag[] {
    return (this.#backlogs ?? []).map(partitionLag);
  }

  camera(cameraId: string, nowMs: number): CameraAnswer | undefined {
    const view = this.state.camera(cameraId);
    if (view === undefined) return undefined;
    const history = this.history.read(cameraId, nowMs) ?? emptyHistory(cameraId, nowMs);
    return { camera: view.row(), history, preview: factsOf(this.previews.of(cameraId, nowMs)) };
  }
}

function factsOf(preview: Preview | undefined): PreviewFacts | null {
  if (preview === undefined) return null;
  const { captureTimeUs, width, height } = preview;
  return { captureTimeUs, width, height };
}

function endOf(backlogs: readonly Backlog[]): number {
  return backlogs.reduce((sum, { endOffset }) => sum + endOffset, 0);
}

/** Of a camera that has said nothing since this server began. */
function emptyHistory(cameraId: string, nowMs: number): HistorySeries {
  const { historyStepMs: stepMs } = LIMITS;
  const startMs = Math.floor(nowMs / stepMs) * stepMs;
  const none = { framesPerSecond: [], kilobytesPerFrame: [], ageMs: [], ageMsMax: [], dropped: [] };
  return { cameraId, stepMs, startMs, ...none, labels: [] };
}
