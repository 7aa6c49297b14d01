import { expect, it } from 'vitest';
import { Overload, type OverloadSettings } from '#consumers/inference/overload.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { TASKS } from '#schemas/result.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const SHED_AFTER_MS = 4_000;

function setUp(changes: Partial<OverloadSettings> = {}) {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const overload = new Overload({
    settings: {
      shedHeads: ['segmentation', 'classification'],
      shedAfterMs: SHED_AFTER_MS,
      skipAfterMs: undefined,
      ...changes,
    },
    heads: TASKS,
    clock,
    logger: silentLogger,
    telemetry,
  });
  const headsAt = async (ageMs: number) => {
    await clock.advance(LIMITS.overloadRestMs);
    return overload.headsFor(clock.nowUs() / 1000 - ageMs);
  };
  return { clock, telemetry, overload, headsAt };
}

it('leaves heads out one by one while frames are too old, never an unnamed one', async () => {
  const { headsAt, telemetry } = setUp();
  expect(await headsAt(SHED_AFTER_MS)).toEqual(TASKS);
  expect(await headsAt(SHED_AFTER_MS + 1)).toEqual(['classification', 'detection']);
  expect(telemetry.snapshot()['heads-shed-now']).toBe(1);
  expect(await headsAt(SHED_AFTER_MS + 1)).toEqual(['detection']);
  expect(await headsAt(SHED_AFTER_MS * 100)).toEqual(['detection']);
});

it('brings them back at half the age, in the opposite order', async () => {
  const { headsAt } = setUp();
  await headsAt(SHED_AFTER_MS + 1);
  await headsAt(SHED_AFTER_MS + 1);
  expect(await headsAt(SHED_AFTER_MS / 2)).toEqual(['detection']);
  expect(await headsAt(SHED_AFTER_MS / 2 - 1)).toEqual(['classification', 'detection']);
  expect(await headsAt(0)).toEqual(TASKS);
});

it('rests between two moves, whatever it sees', async () => {
  const { clock, overload, headsAt } = setUp();
  expect(await headsAt(SHED_AFTER_MS + 1)).toHaveLength(2);
  await clock.advance(LIMITS.overloadRestMs - 1);
  expect(overload.headsFor(clock.nowUs() / 1000 - 60_000)).toHaveLength(2);
  await clock.advance(1);
  expect(overload.headsFor(clock.nowUs() / 1000 - 60_000)).toHaveLength(1);
});

it('skips nothing unless told to, and then what is older than that', () => {
  const { clock, overload } = setUp();
  expect(overload.skips(0)).toBe(false);
  const skipping = setUp({ skipAfterMs: 10_000 });
  const nowMs = clock.nowUs() / 1000;
  expect(skipping.overload.skips(nowMs - 10_000)).toBe(false);
  expect(skipping.overload.skips(nowMs - 10_001)).toBe(true);
});

it('sheds nothing where no head may be shed', async () => {
  const { headsAt } = setUp({ shedHeads: [] });
  expect(await headsAt(SHED_AFTER_MS * 10)).toEqual(TASKS);
});
