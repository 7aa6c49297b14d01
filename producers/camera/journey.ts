import { defined } from '#runtime/assert.ts';
import type { Tracer } from '#runtime/trace.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import type { DropReason, EpochAccount } from './accounts.ts';
import type { CameraBook } from './camera-book.ts';
import type { Frame } from './capture.ts';
import {
  type DropSpans,
  type FrameTrace,
  type Sampler,
  startFrameTrace,
  UNTRACED,
} from './frame-trace.ts';
import type { Image } from './image.ts';

/** What of an image outlives its pixels: it goes into the record. */
export type ImageFacts = Omit<Image, 'pixels'>;

/**
 * One frame's way through the agent, from capture to its one end: `published`, `dropped`, or
 * `stored` for the spool to go on with. Stages
 * hand it on; whoever ends it settles the frame's account and its trace together. It does not hold
 * the pixels, so a frame that waits for the broker costs its bitstream only.
 */
export class Journey {
  readonly identity: FrameIdentity;
  readonly image: ImageFacts;
  /** Index of the bundle's rate point that the frame is encoded at. */
  readonly ratePoint: number;
  /** Tasks of the heads that its camera wanted when it was captured; null: all. */
  readonly heads: readonly string[] | null;
  readonly trace: FrameTrace;
  readonly #account: EpochAccount;
  readonly #drops: Pick<DropSpans, 'dropped'> | undefined;

  constructor(parts: {
    readonly identity: FrameIdentity;
    readonly image: ImageFacts;
    readonly ratePoint: number;
    readonly heads: readonly string[] | null;
    readonly trace: FrameTrace;
    readonly account: EpochAccount;
    /** Undefined: a drop of a frame that is not traced leaves no span. */
    readonly drops?: Pick<DropSpans, 'dropped'> | undefined;
  }) {
    this.identity = parts.identity;
    this.image = parts.image;
    this.ratePoint = parts.ratePoint;
    this.heads = parts.heads;
    this.trace = parts.trace;
    this.#account = parts.account;
    this.#drops = parts.drops;
  }

  /** Drops of the frame's camera and epoch up to now, by reason. */
  get droppedSoFar(): Readonly<Record<string, number>> {
    return this.#account.dropped;
  }

  published(): void {
    this.#account.publish(this.identity.sequence);
    this.trace.published();
  }

  /** It waits on disk, where the spool looks after it. */
  stored(): void {
    this.#account.store(this.identity.sequence);
    this.trace.stored();
  }

  /** Sent, not acknowledged, and not waited for any longer. */
  givenUp(reason: DropReason): void {
    this.#account.giveUp(this.identity.sequence, reason);
    this.#traceDrop(reason);
  }

  dropped(reason: DropReason): void {
    this.#account.drop(this.identity.sequence, reason);
    this.#traceDrop(reason);
  }

  #traceDrop(reason: DropReason): void {
    if (this.trace !== UNTRACED) this.trace.dropped(reason);
    else this.#drops?.dropped(this.identity, this.image.captureTimeUs, reason);
  }
}

export interface JourneyOptions {
  readonly books: ReadonlyMap<string, CameraBook>;
  /** By camera id. */
  readonly ratePoints: ReadonlyMap<string, number>;
  /** Whether a frame of this camera may be published at this moment. */
  readonly ownsNow: (cameraId: string) => boolean;
  /** Whether rate control has room for a frame of this camera. */
  readonly admits?: (cameraId: string) => boolean;
  readonly sampler: Sampler;
  /** See `Journey`. */
  readonly drops?: Pick<DropSpans, 'dropped'> | undefined;
  readonly tracer: Tracer;
  /** Where the frames go, for the spans. */
  readonly topic: string;
}

/**
 * Enters a captured frame into its camera's book and starts its trace if it is sampled. Undefined
 * where it was dropped at once: the camera may be another agent's by now, or gives fewer frames.
 */
export function beginJourney(options: JourneyOptions, frame: Frame): Journey | undefined {
  const { cameraId, epoch, sequence } = frame;
  const { pixels: _, ...image } = frame.image;
  const identity: FrameIdentity = { cameraId, epoch, sequence };
  const book = defined(options.books.get(cameraId), `the book of camera ${cameraId}`);
  const account = book.captured(identity, image.captureTimeUs);
  const trace = options.sampler.isSampled(identity)
    ? startFrameTrace(options.tracer, identity, image.captureTimeUs, options.topic)
    : UNTRACED;
  const ratePoint = defined(options.ratePoints.get(cameraId), `the rate point of ${cameraId}`);
  const { heads } = book;
  const { drops } = options;
  const journey = new Journey({ identity, image, ratePoint, heads, trace, account, drops });
  if (!options.ownsNow(cameraId)) journey.dropped('not-owner');
  else if (options.admits?.(cameraId) === false) journey.dropped('rate-limited');
  else return journey;
  return undefined;
}
