import { expect, it } from 'vitest';
import { TASKS } from '#schemas/result.ts';
import { runChaos } from '#test/chaos/run.ts';

/** A short run of `npm run chaos`: three brokers, and the verdict of a reader in Java. */
it('every frame once and in order while consumers come, go and die, and brokers die', async () => {
  const report = await runChaos(
    {
      frameCount: 2_000,
      cameraCount: 20,
      framesPerSecond: 100,
      consumerCount: 2,
      consumerKills: 1,
      brokerBounces: 2,
      scalings: 1,
      seed: 20261128,
    },
    () => undefined,
  );
  expect(report.verdict).toMatchObject({ sound: true, frames: 2_000, deadLetters: 0 });
  const topics = Object.values(report.verdict.topics);
  expect(topics.map(({ records }) => records)).toEqual(TASKS.map(() => 2_000));
  expect(report.recovery['consumer killed']?.count).toBe(1);
});
