import type { Broker, PartitionOffsets } from '#runtime/broker.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/**
 * Gives a group a position in each partition in which it has none: the end. A hook or a bridge
 * begins with the results that come from now on; without a position it would do so again after each
 * restart and each rebalance, and miss what came in between.
 */
export async function fixStart(broker: Broker, groupId: string, topic: string): Promise<void> {
  const known = await broker.committedOffsets(groupId, topic);
  const missing = (await broker.offsets(topic)).filter(({ partition }) => !known.has(partition));
  const fix = async ({ partition, high }: PartitionOffsets): Promise<void> => {
    const transactor = await broker.openTransactor({ groupId, topic, partition });
    try {
      if ((await transactor.acquire()) === undefined) await transactor.commit([], high);
    } catch (error) {
      // Another worker does the same.
      if (codeOf(error) !== 'broker-fenced') throw error;
    } finally {
      await transactor.close();
    }
  };
  for (let from = 0; from < missing.length; from += LIMITS.backfillPartitionsAtOnce) {
    const slice = missing.slice(from, from + LIMITS.backfillPartitionsAtOnce);
    await Promise.all(slice.map(fix));
  }
}
