/**
 * Upper bounds of the buckets of every histogram, in what is exported. Fixed: a bucket that moves
 * makes what was stored before worthless, and series of two processes cannot be added up.
 */
export const BOUNDS = {
  /** Work on one frame or batch, and one answer of a broker: half a millisecond to a minute. */
  seconds: [
    ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
    ...[1, 2.5, 5, 10, 30, 60],
  ],
  /** How old a frame is: a network's time, up to an hour of a broker that was away. */
  ageSeconds: [
    ...[0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75],
    ...[1, 2, 5, 10, 30, 60, 300, 3600],
  ],
  /** Things that are handled together. */
  count: [1, 2, 4, 8, 16, 32, 64, 128],
} as const;
