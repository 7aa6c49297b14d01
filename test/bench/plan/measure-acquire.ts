import { systemClock } from '#runtime/clock.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import type { Bench } from './measure-consumer.ts';

/** Milliseconds in which partitions are taken over, all at once, as a consumer does it. */
export async function measureAcquire(
  { brokers }: Bench,
  partitionCount: number,
  prefix: string,
): Promise<number> {
  const broker = openBroker(brokers);
  try {
    const topics = await createTopics(broker, prefix, partitionCount);
    const topic = topics.frames.name;
    const partitions = Array.from({ length: partitionCount }, (_, partition) => partition);
    const options = (partition: number) => ({ groupId: `${prefix}-group`, topic, partition });
    const startMs = systemClock.monotonicMs();
    await Promise.all(
      partitions.map(async (partition) => {
        const transactor = await broker.openTransactor(options(partition));
        await transactor.acquire();
      }),
    );
    return systemClock.monotonicMs() - startMs;
  } finally {
    await broker.close();
  }
}
