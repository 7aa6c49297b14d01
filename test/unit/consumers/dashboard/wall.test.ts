import { expect, it } from 'vitest';
import { Telemetry } from '#consumers/dashboard/telemetry.ts';
import { Wall } from '#consumers/dashboard/wall.ts';
import { LIMITS } from '#runtime/limits.ts';
import { detection } from '../subscriber/results.ts';
import { received } from './received.ts';

const NOW_MS = 1_700_000_000_000;

it('a frame that had been a dead letter is in the charts, and its age is not', () => {
  const telemetry = new Telemetry();
  const wall = new Wall(telemetry, NOW_MS);
  const enter = (sequence: number, redrives: number, ageMs: number) => {
    const result = detection([], { sequence, redrives });
    wall.result(result, received(result, ageMs), NOW_MS);
  };
  enter(1, 0, 150);
  enter(2, 1, 3_600_000);
  const laterMs = NOW_MS + LIMITS.historyStepMs;
  expect(wall.camera('gate', laterMs)?.history).toMatchObject({
    framesPerSecond: [0.2],
    ageMs: [150],
    ageMsMax: [150],
  });
  expect(wall.fleet(NOW_MS).ageMs?.p95).toBeLessThan(200);
  expect(telemetry.snapshot()).toMatchObject({ 'frames-redriven': 1 });
});
