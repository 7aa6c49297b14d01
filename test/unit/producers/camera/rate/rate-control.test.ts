import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '#runtime/random.ts';
import { bounds, type Line, POINTS, type Published, SimulatedLink } from './simulated-link.ts';

const HOUR_S = 3_600;
/** 1 Mbit/s and 37.5 kbit/s. */
const WIDE = { bytesPerSecond: 125_000, roundTripMs: 60 };
const THIN = { bytesPerSecond: 4_687, roundTripMs: 60 };
/** Stated: in an hour on a line that stays as it is, whatever it is. */
const CHANGES_AN_HOUR_MAX = 60;
/** Stated: of what is captured while a line becomes 27 times as thin. */
const AGE_S_MAX = 10;
/** Stated: after a line whose round trip is at most 100 ms is wide again. */
const RETURN_S_MAX = 30;

function linkOf(line: Line = WIDE, seed = 1): SimulatedLink {
  const link = new SimulatedLink(line, seededRandom(seed));
  link.noise = 0.15;
  return link;
}

function bytesWithin(published: readonly Published[], fromMs: number, toMs: number): number {
  return published
    .filter(({ endMs }) => endMs >= fromMs && endMs < toMs)
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

/** That any 30 s from `fromMs` on have no more than 5 % and one frame above the budget. */
function expectWithinBudget(link: SimulatedLink, fromMs: number, budget: number): void {
  const frame = Math.max(...link.published.map(({ bytes }) => bytes));
  for (let startMs = fromMs; startMs + 30_000 <= link.clock.nowMs; startMs += 1_000) {
    const bytes = bytesWithin(link.published, startMs, startMs + 30_000);
    expect(bytes).toBeLessThanOrEqual(1.05 * 30 * budget + frame);
  }
}

describe('the link', () => {
  it('that keeps up changes nothing', () => {
    for (const line of [WIDE, { ...WIDE, roundTripMs: 600 }]) {
      const link = linkOf(line);
      for (const id of ['gate', 'yard']) link.add(id, bounds());
      link.run(HOUR_S);
      expect(link.changes('gate') + link.changes('yard')).toBe(0);
    }
  });

  it('that stays as it is makes few changes, whatever it is, and what is old does not grow', () => {
    const lines = fc.record({
      cameras: fc.integer({ min: 1, max: 4 }),
      /** For each; the least of a camera takes 1,800 on the wire, and a queue must drain. */
      logBytesPerSecond: fc.double({ min: Math.log(2_600), max: Math.log(40_000), noNaN: true }),
      roundTripMs: fc.integer({ min: 1, max: 400 }),
      noise: fc.double({ min: 0, max: 0.2, noNaN: true }),
      seed: fc.integer({ min: 0, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(lines, ({ cameras, logBytesPerSecond, roundTripMs, noise, seed }) => {
        const bytesPerSecond = cameras * Math.exp(logBytesPerSecond);
        const link = linkOf({ bytesPerSecond, roundTripMs }, seed);
        link.noise = noise;
        for (let index = 0; index < cameras; index++) link.add(`camera-${index}`, bounds());
        link.run(HOUR_S);
        expect(link.changes('camera-0')).toBeLessThanOrEqual(CHANGES_AN_HOUR_MAX);
        // Where the least just fits, what was too much at first takes minutes to drain.
        const ages = link.ages((HOUR_S / 2) * 1_000).sort((a, b) => a - b);
        expect(ages[Math.floor(0.95 * ages.length)]).toBeLessThan(AGE_S_MAX);
      }),
      { numRuns: 20 },
    );
  });

  it('that lets bursts pass and then no more is not believed again and again', () => {
    for (const burstBytes of [10_000, 60_000, 400_000]) {
      const link = linkOf({ ...THIN, burstBytes });
      link.add('gate', bounds());
      link.run(HOUR_S);
      expect(link.changes('gate')).toBeLessThanOrEqual(CHANGES_AN_HOUR_MAX);
    }
  });

  it('that is wide for 20 s of each minute is followed, in three changes at most each time', () => {
    const link = linkOf();
    link.add('gate', bounds());
    for (let minute = 0; minute < 60; minute++) {
      link.line = WIDE;
      link.run(20);
      link.line = THIN;
      link.run(40);
    }
    expect(link.changes('gate')).toBeLessThanOrEqual(2 * 3 * 60);
    expect(Math.max(...link.ages(0))).toBeLessThan(2 * AGE_S_MAX);
  });

  it('that becomes thin, and wide again, is followed both ways', () => {
    for (const roundTripMs of [5, 60, 100]) {
      const link = linkOf({ ...WIDE, roundTripMs });
      link.add('gate', bounds());
      link.run(60);
      link.line = { ...THIN, roundTripMs };
      link.run(300);
      expect(Math.max(...link.ages(0))).toBeLessThan(AGE_S_MAX);
      expect(link.control.report('gate')).toMatchObject({ ratePoint: 3 });
      const carried = bytesWithin(link.published, 120_000, 360_000) / 240;
      expect(carried, 'half of the line is used').toBeGreaterThan(THIN.bytesPerSecond / 2);
      link.line = { ...WIDE, roundTripMs };
      link.run(RETURN_S_MAX);
      expect(link.control.report('gate')).toMatchObject({ ratePoint: 1, framesPerSecond: 5 });
      expect(link.log).toMatch(
        /"profile-changed","camera":"gate","from":"standard 5\/s","to":"tiny .+","why":"link"/,
      );
    }
  });

  it('that answers nothing changes nothing: frames keep their profile, and wait', () => {
    for (const [roundTripMs, seconds] of [
      [60, 60],
      [600, 12],
      [600, 60],
    ] as const) {
      const link = linkOf({ ...WIDE, roundTripMs });
      link.add('gate', bounds());
      link.run(60);
      link.isAway = true;
      link.run(seconds);
      link.isAway = false;
      link.run(60);
      expect(link.changes('gate')).toBe(0);
      expect(link.ages(link.clock.nowMs - 5_000).every((age) => age < 2)).toBe(true);
    }
  });

  it('is shared fairly, and those that do not give way have what they take', () => {
    const link = linkOf({ bytesPerSecond: 30_000, roundTripMs: 60 });
    for (const id of ['a', 'b', 'c']) link.add(id, bounds());
    link.add('fixed', bounds({ finest: 3, adaptive: false }));
    link.add('modest', bounds({ finest: 3, framesPerSecondMax: 1 }));
    link.run(600);
    const bytesOf = (id: string) =>
      bytesWithin(
        link.published.filter(({ cameraId }) => cameraId === id),
        300_000,
        600_000,
      ) / 300;
    const [a, b, c] = ['a', 'b', 'c'].map(bytesOf) as [number, number, number];
    expect(Math.max(a, b, c) / Math.min(a, b, c)).toBeLessThan(1.3);
    expect(link.changes('fixed')).toBe(0);
    expect(bytesOf('fixed')).toBeGreaterThan(0.95 * 5 * (POINTS[3]?.typicalBytes ?? 0));
    expect(bytesOf('modest')).toBeGreaterThan(0.95 * (POINTS[3]?.typicalBytes ?? 0));
  });
});

describe('a budget', () => {
  it('is kept within 5 % and one frame over any 30 s, and used', () => {
    const budgets = fc.record({
      budget: fc.integer({ min: 2_000, max: 20_000 }),
      framesPerSecond: fc.constantFrom(1, 5, 12, 25),
      scene: fc.double({ min: 0.5, max: 3, noNaN: true }),
      seed: fc.integer({ min: 0, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(budgets, ({ budget, framesPerSecond, scene, seed }) => {
        const link = linkOf({ bytesPerSecond: 1_000_000, roundTripMs: 20 }, seed);
        const framesPerSecondMax = framesPerSecond;
        link.add('gate', bounds({ bytesPerSecondMax: budget, framesPerSecondMax }));
        link.run(120);
        // Somebody enters the scene, and stays.
        link.scene = scene;
        link.run(480);
        expectWithinBudget(link, 10_000, budget);
        const used = bytesWithin(link.published, 300_000, 600_000) / 300;
        const wanted = framesPerSecond * ((POINTS[1]?.typicalBytes ?? 0) * scene + 220);
        expect(used).toBeGreaterThan(0.5 * Math.min(budget, wanted));
        expect(link.changes('gate')).toBeLessThanOrEqual(CHANGES_AN_HOUR_MAX);
      }),
      { numRuns: 20 },
    );
  });

  it('is kept from noise, which costs ten times as much', () => {
    const link = linkOf();
    link.add('gate', bounds({ bytesPerSecondMax: 8_000, adaptive: false }));
    link.run(60);
    link.scene = 10;
    link.run(300);
    expectWithinBudget(link, 60_000, 8_000);
  });
});

describe('settings', () => {
  it('that change begin anew at the best of them, and are forgotten with the camera', () => {
    const link = linkOf();
    link.add('gate', bounds());
    link.control.put('gate', bounds({ finest: 2 }));
    expect(link.control.report('gate')).toEqual({ ratePoint: 2, framesPerSecond: 5, changes: 1 });
    expect(link.control.ratePoints.get('gate')).toBe(2);
    link.control.put('gate', bounds({ finest: 2 }));
    expect(link.changes('gate')).toBe(1);
    link.control.forget('gate');
    expect(link.control.report('gate')).toBeUndefined();
    expect(link.control.ratePoints.size).toBe(0);
  });
});
