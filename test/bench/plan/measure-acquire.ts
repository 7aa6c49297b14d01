import type { Broker, Transactor } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { topicTable } from '#schemas/topics.ts';
import { openBroker } from '../instruments/bench-topics.ts';
import { median } from '../instruments/statistics.ts';
import type { Bench } from './measure-consumer.ts';

/** Takeovers of one measurement; now and then one waits for a retry of Kafka's. */
const TAKEOVERS = 5;

/** Milliseconds in which partitions are taken over, all at once, from the consumer before. */
export async function measureAcquire(
  { brokers }: Bench,
  partitionCount: number,
  prefix: string,
): Promise<number> {
  const broker = openBroker(brokers);
  try {
    const { frames } = topicTable({ prefix, partitionCount });
    await broker.ensureTopics([frames]);
    const takeOver = () =>
      acquireAll(broker, { topic: frames.name, groupId: `${prefix}-group`, partitionCount });
    let owners = await takeOver();
    const times: number[] = [];
    for (let count = 0; count < TAKEOVERS; count++) {
      const startMs = systemClock.monotonicMs();
      const next = await takeOver();
      times.push(systemClock.monotonicMs() - startMs);
      await Promise.all(owners.map((owner) => owner.close()));
      owners = next;
    }
    await Promise.all(owners.map((owner) => owner.close()));
    return median(times);
  } finally {
    await broker.close();
  }
}

function acquireAll(
  broker: Broker,
  { partitionCount, ...place }: { topic: string; groupId: string; partitionCount: number },
): Promise<Transactor[]> {
  return Promise.all(
    Array.from({ length: partitionCount }, async (_, partition) => {
      const transactor = await broker.openTransactor({ ...place, partition });
      await transactor.acquire();
      return transactor;
    }),
  );
}
