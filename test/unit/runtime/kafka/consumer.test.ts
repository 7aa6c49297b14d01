import { expect, it } from 'vitest';
import { type ConsumerClient, KafkaConsumer } from '#runtime/kafka/consumer.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

/** The part of a kafkajs consumer that joins groups; the test tells when. */
class FakeClient {
  readonly #listeners = new Map<string, (event: { payload: unknown }) => void>();

  on(name: string, listener: (event: { payload: unknown }) => void): void {
    this.#listeners.set(name, listener);
  }

  emit(name: string, payload: unknown = {}): void {
    this.#listeners.get(name)?.({ payload });
  }

  join(partitions: readonly number[]): void {
    this.emit('consumer.group_join', { memberAssignment: { frames: partitions } });
  }

  async connect(): Promise<void> {}
  async subscribe(): Promise<void> {}
  async run(): Promise<void> {}
  async disconnect(): Promise<void> {}
  pause(): void {}
  resume(): void {}
  cut(): void {}
}

async function startConsumer() {
  const client = new FakeClient();
  const heard: string[] = [];
  const consumer = new KafkaConsumer(
    {
      groupId: 'group',
      topics: ['frames'],
      from: 'earliest',
      readCommitted: true,
      commit: 'none',
    },
    {
      createClient: () => client as unknown as ConsumerClient,
      partitionCount: async () => 4,
      clock: new ManualClock(),
      logger: silentLogger,
      onClosed: () => undefined,
    },
  );
  const started = consumer.start({
    onAssigned: (assignment) => heard.push(`assigned ${assignment.get('frames')}`),
    onRevoked: () => heard.push('revoked'),
    onRecords: () => undefined,
    onFailed: (error) => heard.push(error.message),
  });
  await new Promise(setImmediate);
  client.join([0, 1]);
  await started;
  return { client, consumer, heard };
}

it('tells of a revocation also when the group was joined anew without a word (bug N)', async () => {
  const { client, heard } = await startConsumer();
  // As when a leader moves or a topic grows: no event says that a rebalance has begun.
  client.join([1, 2, 3]);
  expect(heard).toEqual(['assigned 0,1', 'revoked', 'assigned 1,2,3']);
});

it('tells of it once when there was a word', async () => {
  const { client, consumer, heard } = await startConsumer();
  client.emit('consumer.rebalancing');
  client.join([0]);
  await consumer.stop();
  expect(heard).toEqual(['assigned 0,1', 'revoked', 'assigned 0', 'revoked']);
});
