import type { Broker } from '#runtime/broker.ts';
import { decideEach, decidePosition } from './decide-position.ts';

/**
 * Gives a group a position in each partition in which it has none: the end. A hook or a bridge
 * begins with the results that come from now on; without a position it would do so again after each
 * restart and each rebalance, and miss what came in between.
 */
export async function fixStart(broker: Broker, groupId: string, topic: string): Promise<void> {
  const known = await broker.committedOffsets(groupId, topic);
  const missing = (await broker.offsets(topic)).filter(({ partition }) => !known.has(partition));
  await decideEach(missing, ({ partition, high }) =>
    decidePosition(broker, { groupId, topic, partition }, { offset: high, note: undefined }),
  );
}
