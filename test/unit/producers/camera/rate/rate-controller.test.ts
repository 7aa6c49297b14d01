import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LAW } from '#producers/camera/rate/law.ts';
import type { Profile } from '#producers/camera/rate/profile.ts';
import { type ChangeReason, RateController } from '#producers/camera/rate/rate-controller.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { bounds, POINTS } from './simulated-link.ts';

const UNLIMITED = { bytesPerSecond: Number.POSITIVE_INFINITY, frameShare: 1 };
const AROUND_BYTES = 220;

class Trial {
  readonly clock = new ManualClock();
  readonly changes: { readonly to: Profile; readonly why: ChangeReason }[] = [];
  readonly controller: RateController;

  constructor(of = bounds()) {
    this.controller = new RateController({
      ...{ bounds: of, typicalBytes: POINTS.map(({ typicalBytes }) => typicalBytes) },
      clock: this.clock,
      onChanged: (_, to, why) => this.changes.push({ to, why }),
    });
  }

  /** A frame of the present profile, so many times as large as is typical. */
  encode(scene = 1): void {
    const { ratePoint } = this.controller.profile;
    const bytes = Math.round(scene * (POINTS[ratePoint]?.typicalBytes ?? 0));
    this.controller.encoded(ratePoint, bytes, bytes + AROUND_BYTES);
  }
}

describe('the profile of a camera', () => {
  it('never leaves its bounds, whatever is allowed and however large frames are', async () => {
    const limits = fc.record({
      finest: fc.integer({ min: 0, max: 3 }),
      steps: fc.integer({ min: 0, max: 3 }),
      framesPerSecondMax: fc.double({ min: 0.1, max: 60, noNaN: true }),
      share: fc.double({ min: 0.01, max: 1, noNaN: true }),
      bytesPerSecondMax: fc.oneof(fc.constant(Infinity), fc.integer({ min: 100, max: 1e6 })),
      adaptive: fc.boolean(),
    });
    const moments = fc.array(
      fc.record({
        bytesPerSecond: fc.oneof(
          fc.constant(Infinity),
          fc.double({ min: 0, max: 1e6, noNaN: true }),
        ),
        frameShare: fc.double({ min: 0, max: 1, noNaN: true }),
        scene: fc.double({ min: 0.01, max: 20, noNaN: true }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    const property = fc.asyncProperty(limits, moments, async (of, allowances) => {
      const { finest, steps, share, ...others } = of;
      const coarsest = Math.min(3, finest + steps);
      const framesPerSecondMin = share * others.framesPerSecondMax;
      const trial = new Trial(bounds({ finest, coarsest, framesPerSecondMin, ...others }));
      for (const { scene, ...allowance } of allowances) {
        trial.encode(scene);
        await trial.clock.advance(LAW.riseHoldMsMin);
        trial.controller.decide(allowance);
        const { ratePoint, framesPerSecond } = trial.controller.profile;
        expect(ratePoint).toBeGreaterThanOrEqual(finest);
        expect(ratePoint).toBeLessThanOrEqual(coarsest);
        expect(framesPerSecond).toBeGreaterThanOrEqual(framesPerSecondMin);
        expect(framesPerSecond).toBeLessThanOrEqual(others.framesPerSecondMax);
      }
      expect(trial.controller.changes).toBe(trial.changes.length);
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it('becomes coarser first, then slower, and says why; it comes back at once', async () => {
    const trial = new Trial();
    const tiny = AROUND_BYTES + (POINTS[3]?.typicalBytes ?? 0);
    trial.encode();
    trial.controller.decide({ ...UNLIMITED, bytesPerSecond: 5.1 * tiny });
    trial.controller.decide({ ...UNLIMITED, bytesPerSecond: 2.6 * tiny });
    trial.controller.decide({ ...UNLIMITED, bytesPerSecond: 0 });
    expect(trial.changes).toEqual([
      { to: { ratePoint: 3, framesPerSecond: 5 }, why: 'link' },
      { to: { ratePoint: 3, framesPerSecond: expect.closeTo(2.5) }, why: 'link' },
      { to: { ratePoint: 3, framesPerSecond: 1 }, why: 'link' },
    ]);
    await trial.clock.advance(LAW.riseHoldMsMin);
    trial.controller.decide(UNLIMITED);
    expect(trial.changes.at(-1)).toEqual({ to: { ratePoint: 1, framesPerSecond: 5 }, why: 'room' });
  });

  it('has fewer frames for consumers that lag behind, and no coarser ones', () => {
    const trial = new Trial();
    trial.encode();
    trial.controller.decide({ ...UNLIMITED, frameShare: 0.5 });
    expect(trial.changes).toEqual([
      { to: { ratePoint: 1, framesPerSecond: expect.closeTo(2.5) }, why: 'consumer-lag' },
    ]);
  });

  it('follows neither link nor consumers where it is not adaptive', () => {
    const trial = new Trial(bounds({ adaptive: false }));
    trial.encode();
    trial.controller.decide({ bytesPerSecond: 0, frameShare: 0 });
    expect(trial.changes).toEqual([]);
  });

  it('waits twice as long after each rise that a budget took back', async () => {
    const trial = new Trial(bounds({ bytesPerSecondMax: 12_000 }));
    const changesUntil: number[] = [];
    // The scene is busy whenever there are finer frames: it can never last.
    for (let second = 0; second < 600; second++) {
      trial.encode(trial.controller.profile.ratePoint === 2 ? 2 : 0.9);
      trial.controller.decide(UNLIMITED);
      await trial.clock.advance(1_000);
      changesUntil.push(trial.controller.changes);
    }
    expect(changesUntil[60]).toBeGreaterThan(1);
    expect((changesUntil[599] ?? 0) - (changesUntil[300] ?? 0)).toBeLessThanOrEqual(4);
  });

  it('admits as many frames a second as it has', async () => {
    const trial = new Trial();
    trial.encode();
    expect(trial.controller.admits(), 'all, at the rate that is wanted').toBe(true);
    trial.controller.decide({ ...UNLIMITED, frameShare: 0.5 });
    let admitted = 0;
    for (let frame = 0; frame < 5 * 60; frame++) {
      await trial.clock.advance(200);
      if (trial.controller.admits()) admitted++;
    }
    expect(admitted).toBeGreaterThanOrEqual(149);
    expect(admitted).toBeLessThanOrEqual(151);
  });
});
