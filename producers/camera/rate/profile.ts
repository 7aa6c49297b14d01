/** What is encoded of a camera: which rate point, and how many frames a second. */
export interface Profile {
  /** Index in the bundle; 0 is the finest. */
  readonly ratePoint: number;
  readonly framesPerSecond: number;
}

/** Within what a camera's profile moves. */
export interface RateBounds {
  /** The rate point that the camera is wanted at: never anything finer. */
  readonly finest: number;
  readonly coarsest: number;
  /** What the camera is wanted at. */
  readonly framesPerSecondMax: number;
  /** Neither the link nor consumers take it below; the budget may. */
  readonly framesPerSecondMin: number;
  /** Of records' values. Infinity: no budget. */
  readonly bytesPerSecondMax: number;
  /** Of a bitstream: a frame that has more is encoded again, coarser. */
  readonly bytesPerFrameMax: number;
  /** Whether it gives way to a thin link and to consumers that lag behind. */
  readonly adaptive: boolean;
}

/** Frames a second change by this factor: as bytes do, roughly, from one rate point to the next. */
const STEP = Math.SQRT1_2;

/** The most frames a second that a camera may have and that are at most `limit`. */
export function framesWithin(limit: number, bounds: RateBounds): number {
  const { framesPerSecondMax, framesPerSecondMin } = bounds;
  if (limit >= framesPerSecondMax) return framesPerSecondMax;
  // The addition keeps a limit that is a step itself from being taken for less by its last bit.
  const steps = Math.ceil(Math.log(limit / framesPerSecondMax) / Math.log(STEP) - 1e-9);
  return Math.max(framesPerSecondMin, framesPerSecondMax * STEP ** steps);
}

/**
 * The best profile within the limits: as many frames a second as may be, at the finest rate point
 * that `bytesPerSecond` leaves room for; where the coarsest has no room, fewer frames of it. The
 * least there is has no limits.
 */
export function bestProfile(
  limits: { readonly bytesPerSecond: number; readonly framesPerSecond: number },
  bounds: RateBounds,
  bytesPerFrame: (ratePoint: number) => number,
): Profile {
  const { finest, coarsest } = bounds;
  const framesPerSecond = framesWithin(limits.framesPerSecond, bounds);
  for (let ratePoint = finest; ratePoint <= coarsest; ratePoint++) {
    if (framesPerSecond * bytesPerFrame(ratePoint) <= limits.bytesPerSecond) {
      return { ratePoint, framesPerSecond };
    }
  }
  const fewer = limits.bytesPerSecond / bytesPerFrame(coarsest);
  return {
    ratePoint: coarsest,
    framesPerSecond: framesWithin(Math.min(framesPerSecond, fewer), bounds),
  };
}

/** More frames, or as many and finer ones. */
export function isBetter(one: Profile, other: Profile): boolean {
  if (one.framesPerSecond !== other.framesPerSecond) {
    return one.framesPerSecond > other.framesPerSecond;
  }
  return one.ratePoint < other.ratePoint;
}
