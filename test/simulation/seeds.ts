/**
 * Seeds that failed once, each with its story. They are run every time: what was wrong then must
 * not come back. A seed is the same run only for as long as the simulation itself is; the story is
 * what counts.
 */
export const FAILED_ONCE: readonly { readonly seed: number; readonly story: string }[] = [
  { seed: 0, story: 'the law of commit took the second copy of a dead letter for a loss' },
  { seed: 7, story: 'what a killed agent had sent came after the frames of the next one' },
  { seed: 108, story: 'a clock set back gave the last epoch of a camera the lowest number' },
  { seed: 122, story: 'an engine that hung when the faults ended held up fresh frames' },
  { seed: 240, story: 'stopped while the broker was away, the agent dropped what it had written' },
];
