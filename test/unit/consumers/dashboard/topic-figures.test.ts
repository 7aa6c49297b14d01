import { expect, it } from 'vitest';
import { TopicFiguresReader } from '#consumers/dashboard/topic-figures.ts';
import type { Broker } from '#runtime/broker.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

it('tells what is on each topic, and how fast it grows since the look before', async () => {
  const clock = new ManualClock();
  let [end, asked] = [100, 0];
  const offsets = async () => {
    asked++;
    return [
      { partition: 0, low: 10, high: end },
      { partition: 1, low: 0, high: 5 },
    ];
  };
  const broker = { offsets } as unknown as Broker;
  const reader = new TopicFiguresReader(topicTable({ prefix: 'site' }), clock);
  const [first] = await reader.read(broker);
  expect(first).toEqual({
    ...{ name: 'site.camera.frame.v1', partitionCount: 2, records: 95, recordsPerSecond: null },
  });
  end += 40;
  await clock.advance(1_000);
  expect((await reader.read(broker))[0]?.recordsPerSecond).toBeNull();
  await clock.advance(3_000);
  const both = await Promise.all([reader.read(broker), reader.read(broker)]);
  expect(both.map(([frames]) => frames?.recordsPerSecond)).toEqual([10, 10]);
  expect(asked).toBe(2 * 6);
});
