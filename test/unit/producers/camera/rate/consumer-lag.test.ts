import { expect, it } from 'vitest';
import { ConsumerLag } from '#producers/camera/rate/consumer-lag.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { createLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const TOPIC = 'frames';
const LAG_MS_MAX = 10_000;
const PARTITION = partitionOf('gate', 4);

/** Five records a second of one camera, and a group that commits what a test says. */
class Trial {
  readonly clock = new ManualClock();
  readonly committed = new Map<number, number>();
  failure: HalfsightError | undefined;
  asked = 0;
  log = '';
  #offset = 0;
  readonly lag = new ConsumerLag({
    broker: {
      partitionCount: async () => 4,
      committedOffsets: async () => {
        this.asked++;
        if (this.failure !== undefined) throw this.failure;
        return this.committed;
      },
    },
    ...{ groupId: 'brain', topic: TOPIC, lagMsMax: LAG_MS_MAX, clock: this.clock },
    logger: createLogger({
      ...{ level: 'info', format: 'json' },
      write: (line) => {
        this.log += line;
      },
    }),
  });

  /** `perSecond`: that the consumers commit. */
  async run(seconds: number, perSecond: number): Promise<void> {
    for (let count = 0; count < 5 * seconds; count++) {
      this.lag.appended({ topic: TOPIC, partition: PARTITION, baseOffset: this.#offset++ });
      const next = (this.committed.get(PARTITION) ?? 0) + perSecond / 5;
      this.committed.set(PARTITION, Math.min(this.#offset, next));
      await this.clock.advance(200);
    }
  }
}

it('consumers that keep up have no lag, and are asked once for all cameras', async () => {
  const trial = new Trial();
  trial.lag.start();
  await trial.run(60, 5);
  expect(trial.lag.lagMsOf('gate')).toBeLessThanOrEqual(1_000);
  expect(trial.lag.shareOf('gate')).toBe(1);
  expect(trial.asked).toBe(12);
  trial.lag.stop();
});

it('slower consumers make frames fewer until they keep up, and then more again', async () => {
  const trial = new Trial();
  trial.lag.start();
  await trial.run(30, 2.5);
  // After 30 s they are at what was written after 15 s.
  expect(trial.lag.lagMsOf('gate')).toBeGreaterThan(12_000);
  expect(trial.lag.lagMsOf('gate')).toBeLessThan(16_500);
  await trial.run(30, 2.5);
  expect(trial.lag.shareOf('gate')).toBeLessThan(0.6);
  const others = ['a', 'b', 'c', 'd', 'e', 'f'].filter((id) => partitionOf(id, 4) !== PARTITION);
  expect(others.map((id) => trial.lag.shareOf(id))).toEqual(others.map(() => 1));
  await trial.run(300, 50);
  expect(trial.lag.lagMsOf('gate')).toBeLessThanOrEqual(1_000);
  expect(trial.lag.shareOf('gate')).toBe(1);
});

it('a lag that falls by itself is waited for', async () => {
  const trial = new Trial();
  await trial.run(40, 1);
  trial.lag.start();
  await trial.run(45, 8);
  expect(trial.lag.lagMsOf('gate')).toBeGreaterThan(0);
  expect(trial.lag.shareOf('gate')).toBeGreaterThanOrEqual(Math.SQRT1_2 - 1e-9);
});

it('a group without a commit, and a broker that does not answer, count for nothing', async () => {
  const trial = new Trial();
  trial.lag.start();
  trial.failure = new HalfsightError('broker-unavailable', 'nobody there.');
  await trial.run(60, 0);
  expect(trial.lag.shareOf('gate')).toBe(1);
  expect(trial.log.match(/lag-unknown/g)).toHaveLength(1);
  trial.failure = undefined;
  trial.committed.clear();
  trial.lag.appended({ topic: 'statuses', partition: PARTITION, baseOffset: 1 });
  await trial.clock.advance(60_000);
  expect(trial.lag.lagMsOf('gate')).toBe(0);
  expect(trial.lag.shareOf('gate')).toBe(1);
});
