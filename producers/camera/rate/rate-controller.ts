import type { Clock } from '#runtime/clock.ts';
import { FrameSizes } from './frame-sizes.ts';
import { LAW } from './law.ts';
import { Patience } from './patience.ts';
import { bestProfile, framesWithin, isBetter, type Profile, type RateBounds } from './profile.ts';
import { TokenBucket } from './token-bucket.ts';

/** What a camera may have at this moment, beside what its bounds say. */
export interface Allowance {
  /** Its share of the link. Infinity: unlimited. */
  readonly bytesPerSecond: number;
  /** Of the frames that it is wanted at, what consumers keep up with, 0 to 1. */
  readonly frameShare: number;
}

/** Why a profile changed: what the present one was too much for, or that there is room again. */
export type ChangeReason = 'budget' | 'link' | 'consumer-lag' | 'room' | 'settings';

export type OnProfileChanged = (from: Profile, to: Profile, why: ChangeReason) => void;

export interface RateControllerOptions {
  readonly bounds: RateBounds;
  /** By index of the rate point. */
  readonly typicalBytes: readonly number[];
  readonly clock: Clock;
  readonly onChanged: OnProfileChanged;
}

/**
 * The profile of one camera: rate point and frames a second.
 *
 *     budget ---------------------------------+
 *     link-monitor.ts -> its fair share ------+-> decide, every intervalMs  -> profile
 *     consumer-lag.ts -> share of its frames -+        ^                            |
 *                                                      |        rate point: of the next frame
 *     frame-sizes.ts <- bytes of encoded frames -------+        frames/s:   admits() thins
 *
 * The law is a model's, not a search: bytes per frame are measured at each rate point, so what a
 * profile takes is known before it is chosen. `bestProfile` takes frames first, then fineness: the
 * rate point becomes coarser down to the coarsest, and only then frames fewer, by steps of
 * sqrt(1/2). Where the present profile takes more than it may, the best one that does not is next,
 * at once and however far down. A better one is taken where it would leave `UP_MARGIN` of room, and
 * where Patience allows: a rise that did not last is not repeated soon.
 *
 * Bytes are promised, not predicted, where there is a budget: a token bucket that holds half a
 * second of it admits a frame only while no more was published than gathered.
 *
 * Pictures that are thinned out are frames: they are captured, numbered, and dropped as
 * `rate-limited`, so that whoever reads the topics sees why a camera gives fewer than it is wanted
 * at. That costs an entry in its book, and neither encoder nor link.
 */
export class RateController {
  readonly #options: RateControllerOptions;
  readonly #sizes: FrameSizes;
  #bounds: RateBounds;
  #profile: Profile;
  #patience = newPatience();
  #changes = 0;
  /** Undefined: all frames that the source gives. */
  #frames: TokenBucket | undefined;
  /** Undefined: no budget. */
  #bytes: TokenBucket | undefined;

  constructor(options: RateControllerOptions) {
    const { bounds, typicalBytes } = options;
    this.#options = options;
    this.#sizes = new FrameSizes(typicalBytes);
    this.#bounds = bounds;
    this.#profile = { ratePoint: bounds.finest, framesPerSecond: bounds.framesPerSecondMax };
    this.#openBuckets();
  }

  get bounds(): RateBounds {
    return this.#bounds;
  }

  get profile(): Profile {
    return this.#profile;
  }

  /** Of the profile, so far. */
  get changes(): number {
    return this.#changes;
  }

  /** Bytes a second of records' values that the present profile takes. */
  get used(): number {
    return this.#bytesPerSecond(this.#profile);
  }

  /** The same of the best one that the budget has room for. */
  get wanted(): number {
    const { finest, framesPerSecondMax, bytesPerSecondMax } = this.#bounds;
    const best = { ratePoint: finest, framesPerSecond: framesPerSecondMax };
    return Math.min(bytesPerSecondMax, this.#bytesPerSecond(best));
  }

  /** Somebody changed what is wanted: the camera begins at the best of it. */
  become(bounds: RateBounds): void {
    this.#bounds = bounds;
    this.#patience = newPatience();
    const { finest: ratePoint, framesPerSecondMax: framesPerSecond } = bounds;
    this.#change({ ratePoint, framesPerSecond }, 'settings');
    this.#openBuckets();
  }

  /** Whether a frame that was captured now is to be encoded. */
  admits(): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#bytes !== undefined && this.#bytes.level(nowMs) < 0) return false;
    if (this.#frames === undefined) return true;
    if (this.#frames.level(nowMs) < 1) return false;
    this.#frames.take(1);
    return true;
  }

  /** `recordBytes`: of the record's value. */
  encoded(ratePoint: number, bitstreamBytes: number, recordBytes: number): void {
    this.#sizes.measured(ratePoint, bitstreamBytes, recordBytes);
    this.#bytes?.take(recordBytes);
  }

  decide({ bytesPerSecond: link, frameShare }: Allowance): void {
    const { adaptive, bytesPerSecondMax: budget, framesPerSecondMax } = this.#bounds;
    const bytesPerSecond = adaptive ? Math.min(budget, link) : budget;
    const framesPerSecond = adaptive
      ? framesWithin(frameShare * framesPerSecondMax, this.#bounds)
      : framesPerSecondMax;
    const nowMs = this.#options.clock.monotonicMs();
    const isTooMany = this.#profile.framesPerSecond > framesPerSecond;
    if (isTooMany || this.used > bytesPerSecond) {
      const fitting = this.#best(bytesPerSecond, framesPerSecond);
      if (isSame(fitting, this.#profile)) return;
      const why = isTooMany ? 'consumer-lag' : budget < link ? 'budget' : 'link';
      // The link, and the lag, have a memory of their own.
      if (why === 'budget') this.#patience.lowered(nowMs);
      this.#change(fitting, why);
      return;
    }
    const roomy = this.#best(bytesPerSecond / UP_MARGIN, framesPerSecond);
    if (!isBetter(roomy, this.#profile) || !this.#patience.isOver(nowMs)) return;
    this.#patience.raised(nowMs);
    this.#change(roomy, 'room');
  }

  #best(bytesPerSecond: number, framesPerSecond: number): Profile {
    return bestProfile({ bytesPerSecond, framesPerSecond }, this.#bounds, (ratePoint) =>
      this.#sizes.bytesPerFrame(ratePoint),
    );
  }

  #bytesPerSecond({ ratePoint, framesPerSecond }: Profile): number {
    return framesPerSecond * this.#sizes.bytesPerFrame(ratePoint);
  }

  #change(to: Profile, why: ChangeReason): void {
    const from = this.#profile;
    if (isSame(from, to)) return;
    this.#profile = to;
    this.#changes++;
    if (from.framesPerSecond !== to.framesPerSecond) this.#openFrames();
    this.#options.onChanged(from, to, why);
  }

  #openFrames(): void {
    const { framesPerSecond } = this.#profile;
    const nowMs = this.#options.clock.monotonicMs();
    // A change lets no frame in that had no room before it: cameras change together.
    const gathered = this.#frames?.level(nowMs) ?? 0;
    // A source's pace is not exact: at its own rate nothing is thinned.
    this.#frames =
      framesPerSecond >= this.#bounds.framesPerSecondMax
        ? undefined
        : new TokenBucket(framesPerSecond, FRAMES_GATHERED, nowMs, gathered);
  }

  #openBuckets(): void {
    this.#openFrames();
    const { bytesPerSecondMax } = this.#bounds;
    const nowMs = this.#options.clock.monotonicMs();
    this.#bytes = Number.isFinite(bytesPerSecondMax)
      ? new TokenBucket(bytesPerSecondMax, bytesPerSecondMax * BUDGET_GATHERED_S, nowMs)
      : undefined;
  }
}

/** A better profile must leave so much room: scenes are not always as busy. */
const UP_MARGIN = 1.15;
/** One, and the rest that is left when frames do not come when it is full. */
const FRAMES_GATHERED = 2;
const BUDGET_GATHERED_S = 0.5;

function newPatience(): Patience {
  return new Patience({
    holdMsMin: LAW.riseHoldMsMin,
    holdMsMax: LAW.holdMsMax,
    settleMs: LAW.settleMs,
  });
}

function isSame(one: Profile, other: Profile): boolean {
  return one.ratePoint === other.ratePoint && one.framesPerSecond === other.framesPerSecond;
}
