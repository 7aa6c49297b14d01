import type { OutgoingRecord, Producer } from '#runtime/broker.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { QueueState } from '#runtime/metrics/queues.ts';
import type { Framing } from '#schemas/framing.ts';
import { encodePreview, type Preview } from '#schemas/preview.ts';

/** Why a preview may end without being published. */
export const PREVIEW_DROP_REASONS = [
  /** It has more than `LIMITS.previewJpegBytesMax`, however coarse. */
  'too-large',
  'encode-failed',
  /** The line had no room beside frames until a newer one came, or too many waited for it. */
  'line-busy',
  /** Another agent may have the camera. */
  'not-owner',
  /** The broker did not take it: it is away, say, or the topic is missing. */
  'send-failed',
  /** The camera, its previews or the agent were stopped before it was sent. */
  'stopped',
] as const;

export type PreviewDropReason = (typeof PREVIEW_DROP_REASONS)[number];

export type MadePreview = Omit<Preview, 'cameraId'>;

/** What became of a picture that was to be a preview. */
export type PreviewOutcome = MadePreview | { readonly dropped: PreviewDropReason };

export interface PreviewsOptions {
  readonly openProducer: () => Promise<Pick<Producer, 'send'>>;
  readonly topic: string;
  readonly framing: Framing;
  /** Whether a preview of this camera may be published at this moment. */
  readonly ownsNow: (cameraId: string) => boolean;
  /** Of frames, that the broker has not acknowledged. */
  readonly waitingBytes: () => number;
  /** That the line carries while it keeps up with the frames, bytes a second; else 0. */
  readonly openCapacity: () => number;
  readonly logger: Logger;
}

export interface PreviewsReport {
  readonly published: number;
  /** Reasons that never occurred are absent. */
  readonly dropped: Readonly<Partial<Record<PreviewDropReason, number>>>;
}

/**
 * Publishes the previews of cameras whose settings let them leave the camera, behind all frames:
 *
 *     take -> waiting (the newest of each camera) --line has room--> sent, one at a time
 *
 * They have a producer of their own, which is opened with the first one, so that none stands before
 * a frame in a queue or a retry. On the line it cannot stand aside: so one is sent only where what
 * waits of frames, and it, take no longer than `previewLineMsMax` by what frames have shown the
 * line to carry. Otherwise it waits, in memory alone, until frames are acknowledged (`proceed`) or
 * a newer one takes its place. What is being sent when its camera is stopped still goes out.
 */
export class Previews {
  readonly #options: PreviewsOptions;
  readonly #waiting = new Map<string, MadePreview>();
  readonly #dropped = new Map<PreviewDropReason, number>();
  #producer: Promise<Pick<Producer, 'send'>> | undefined;
  #published = 0;
  #queuedCount = 0;
  #queueDroppedCount = 0;
  #isSending = false;
  #isStopped = false;
  #failure: string | undefined;

  constructor(options: PreviewsOptions) {
    this.#options = options;
  }

  take(cameraId: string, outcome: PreviewOutcome): void {
    if ('dropped' in outcome) this.#count(outcome.dropped);
    else if (this.#isStopped) this.#count('stopped');
    else this.#wait(cameraId, outcome);
  }

  /** The camera, or its leave to send pictures, is gone. */
  forget(cameraId: string): void {
    this.#dropWaiting(cameraId, 'stopped');
  }

  /** Sends what the line has room for now. */
  proceed(): void {
    if (!this.#isSending && this.#waiting.size > 0) void this.#sendWaiting();
  }

  /** None is sent from now on. */
  stop(): void {
    this.#isStopped = true;
    for (const cameraId of this.#waiting.keys()) this.#dropWaiting(cameraId, 'stopped');
  }

  report(): PreviewsReport {
    return { published: this.#published, dropped: Object.fromEntries(this.#dropped) };
  }

  queueState(): QueueState {
    const [length, max] = [this.#waiting.size, LIMITS.previewsWaitingMax];
    return { length, max, in: this.#queuedCount, dropped: this.#queueDroppedCount };
  }

  #wait(cameraId: string, preview: MadePreview): void {
    this.#dropWaiting(cameraId, 'line-busy');
    this.#waiting.set(cameraId, preview);
    this.#queuedCount++;
    const [oldest = cameraId] = this.#waiting.keys();
    if (this.#waiting.size > LIMITS.previewsWaitingMax) this.#dropWaiting(oldest, 'line-busy');
    this.proceed();
  }

  async #sendWaiting(): Promise<void> {
    this.#isSending = true;
    for (const [cameraId, preview] of this.#waiting) {
      if (!this.#hasRoom(preview.jpeg.length)) break;
      this.#waiting.delete(cameraId);
      await this.#send(cameraId, preview);
    }
    this.#isSending = false;
  }

  #hasRoom(bytes: number): boolean {
    const { waitingBytes, openCapacity } = this.#options;
    const carried = (openCapacity() * LIMITS.previewLineMsMax) / 1000;
    return waitingBytes() + bytes <= carried;
  }

  async #send(cameraId: string, preview: MadePreview): Promise<void> {
    const { ownsNow, logger, topic } = this.#options;
    if (!ownsNow(cameraId)) return this.#count('not-owner');
    try {
      const producer = await this.#opened();
      await producer.send([this.#recordOf(cameraId, preview)]);
      this.#published++;
      this.#failure = undefined;
    } catch (error) {
      this.#count('send-failed');
      const failure = describeError(error);
      // Each of them fails for the same reason: once is enough.
      if (failure === this.#failure) return;
      this.#failure = failure;
      logger.warn('preview-not-sent', { camera: cameraId, topic, error: failure });
    }
  }

  async #opened(): Promise<Pick<Producer, 'send'>> {
    this.#producer ??= this.#options.openProducer();
    try {
      return await this.#producer;
    } catch (error) {
      this.#producer = undefined;
      throw error;
    }
  }

  #recordOf(cameraId: string, preview: MadePreview): OutgoingRecord {
    const { topic, framing } = this.#options;
    const value = encodePreview({ cameraId, ...preview }, framing);
    return { topic, key: cameraId, value, headers: {} };
  }

  #dropWaiting(cameraId: string, reason: PreviewDropReason): void {
    if (!this.#waiting.delete(cameraId)) return;
    this.#queueDroppedCount++;
    this.#count(reason);
  }

  #count(reason: PreviewDropReason): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }
}
