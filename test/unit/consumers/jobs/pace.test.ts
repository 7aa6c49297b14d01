import { describe, expect, it } from 'vitest';
import { Pace, type PaceOptions } from '#consumers/jobs/pace.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

/** Takes as often as it may; `taken` has the time of each. */
function setUp(options: Omit<PaceOptions, 'clock' | 'logger'>, count = 1_000) {
  const clock = new ManualClock();
  const pace = new Pace({ ...options, clock, logger: silentLogger });
  const taken: number[] = [];
  const taking = (async () => {
    while (taken.length < count) {
      await pace.take();
      taken.push(clock.monotonicMs());
    }
  })();
  return { clock, pace, taken, taking };
}

describe('a rate', () => {
  it('spaces frames, whatever their number', async () => {
    const { clock, taken } = setUp({ framesPerSecondMax: 20 });
    await clock.advance(10_000);
    // What comes at once is that of LIMITS.backfillBurstMs.
    expect(taken.length).toBeGreaterThanOrEqual(200);
    expect(taken.length).toBeLessThanOrEqual(200 + 20 * (LIMITS.backfillBurstMs / 1000) + 1);
    const gaps = taken.slice(5).map((time, index) => time - (taken[index + 4] ?? 0));
    expect(Math.min(...gaps)).toBeCloseTo(50);
    expect(Math.max(...gaps)).toBeCloseTo(50);
  });

  it('below one a second', async () => {
    const { clock, taken } = setUp({ framesPerSecondMax: 0.5 });
    await clock.advance(20_000);
    expect(taken.length).toBe(11);
  });

  it('saves nothing up while there are no frames', async () => {
    const clock = new ManualClock();
    const pace = new Pace({ framesPerSecondMax: 100, clock, logger: silentLogger });
    await pace.take();
    await clock.advance(60_000);
    let count = 0;
    void (async () => {
      for (;;) {
        await pace.take();
        count++;
      }
    })();
    await clock.advance(1_000);
    expect(count).toBeLessThanOrEqual(100 + LIMITS.backfillBurstMs / 10 + 1);
  });

  it('none: at once, and no timer is set', async () => {
    const { clock, taken, taking } = setUp({});
    await taking;
    expect(taken).toHaveLength(1_000);
    expect(clock.timerCount).toBe(0);
  });
});

describe('mayRun', () => {
  it('is asked about once a second, and holds frames back while it says no', async () => {
    const answers = [false, false, true];
    let asked = 0;
    const mayRun = async () => answers[asked++] ?? true;
    const { clock, taken } = setUp({ framesPerSecondMax: 10, mayRun });
    await clock.advance(2 * LIMITS.backfillGateIntervalMs - 1);
    expect(taken).toEqual([]);
    expect(asked).toBe(2);
    await clock.advance(5_000);
    expect(taken.length).toBeGreaterThan(40);
    expect(asked).toBeLessThanOrEqual(3 + 6);
  });

  it('holds within a second of a no', async () => {
    let mayRun = true;
    const { clock, taken } = setUp({ framesPerSecondMax: 10, mayRun: async () => mayRun });
    await clock.advance(3_000);
    mayRun = false;
    await clock.advance(LIMITS.backfillGateIntervalMs + 100);
    const held = taken.length;
    await clock.advance(60_000);
    expect(taken).toHaveLength(held);
  });

  it('is taken for a no where it cannot be asked', async () => {
    let isAway = true;
    const mayRun = async () => {
      if (isAway) throw new Error('nobody answers');
      return true;
    };
    const { clock, taken } = setUp({ mayRun }, 10);
    await clock.advance(10_000);
    expect(taken).toEqual([]);
    isAway = false;
    await clock.advance(LIMITS.backfillGateIntervalMs);
    expect(taken).toHaveLength(10);
  });
});

it('says how long it was held back, and by what', async () => {
  const heldMs = { 'live-lag': 0, rate: 0 };
  const answers = [false, false, true];
  const { clock, taken } = setUp({
    framesPerSecondMax: 10,
    mayRun: async () => answers.shift() ?? true,
    onThrottled: (why, ms) => {
      heldMs[why] += ms;
    },
  });
  await clock.advance(2 * LIMITS.backfillGateIntervalMs);
  expect(heldMs).toEqual({ 'live-lag': 2 * LIMITS.backfillGateIntervalMs, rate: 0 });
  await clock.advance(3_000);
  expect(taken.length).toBeGreaterThan(29);
  expect(heldMs['live-lag']).toBe(2 * LIMITS.backfillGateIntervalMs);
  // All of the time, but for what may come at once.
  expect(heldMs.rate).toBeGreaterThan(3_000 - LIMITS.backfillBurstMs - 100);
  expect(heldMs.rate).toBeLessThanOrEqual(3_000);
});

it.each([
  ['a rate', { framesPerSecondMax: 0.001 }],
  ['a no', { mayRun: async () => false }],
])('a close lets go who waits for %s, and holds up nobody any more', async (_, options) => {
  const { clock, pace, taken, taking } = setUp(options, 5);
  await clock.advance(10);
  expect(taken.length).toBeLessThan(2);
  pace.close();
  await taking;
  expect(taken).toHaveLength(5);
  expect(clock.monotonicMs()).toBe(10);
});
