import type { Broker, Transactor } from '#runtime/broker.ts';

/**
 * The same broker without transactions: results go out with one idempotent producer, and positions
 * are kept in memory, which costs nothing. A consumer that commits its offsets now and then can
 * come near that and never be cheaper, so this is at-least-once at its best.
 */
export function atLeastOnce(broker: Broker): Broker {
  const positions = new Map<number, number>();
  const producer = broker.openProducer();
  return {
    ...broker,
    async openTransactor({ partition }): Promise<Transactor> {
      return {
        acquire: async () => positions.get(partition),
        async commit(records, nextOffset) {
          await (await producer).send(records);
          positions.set(partition, nextOffset);
        },
        close: async () => undefined,
      };
    },
  };
}
