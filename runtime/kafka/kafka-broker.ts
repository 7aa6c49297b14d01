import pLimit from 'p-limit';
import { defined } from '../assert.ts';
import type {
  Broker,
  BrokerSettings,
  Consumer,
  ConsumerOptions,
  Producer,
  Transactor,
  TransactorOptions,
} from '../broker.ts';
import { LIMITS } from '../limits.ts';
import { type ClientDependencies, clientFactory } from './client.ts';
import { KafkaConsumer } from './consumer.ts';
import { clusterOf, type KafkaJs } from './kafkajs.ts';
import { KafkaProducer } from './producer.ts';
import { KafkaReader } from './reader.ts';
import { SharedLookup } from './shared-lookup.ts';
import { KafkaTopics } from './topics.ts';
import {
  type CommittedPosition,
  KafkaTransactor,
  type TransactorDependencies,
} from './transactor.ts';

/** Retries inside one kafkajs call; beyond them our own loops decide. */
const CALL_RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 8 };

/** kafkajs' own would look at all partitions first; every record here has its own by then. */
const createPartitioner: KafkaJs.ICustomPartitioner =
  () =>
  ({ message }) =>
    defined(message.partition, 'the partition of a record');

const IDEMPOTENT = {
  idempotent: true,
  maxInFlightRequests: 1,
  retry: CALL_RETRY,
  createPartitioner,
};

/** Kafka behind the broker port, through kafkajs with its bugs cured. Connects on first use. */
export function openKafka(settings: BrokerSettings, dependencies: ClientDependencies): Broker {
  const createClient = clientFactory(settings, dependencies);
  const { clock, logger } = dependencies;
  const topics = new KafkaTopics(
    () => createClient((kafka) => kafka.admin({ retry: CALL_RETRY })),
    clock,
  );
  const partitionCount = (topic: string) => topics.partitionCount(topic);
  const reader = new KafkaReader({
    createClient: () => createClient(clusterOf),
    partitionCount,
    oldest: async (topic, partition) => {
      const offsets = await topics.offsets(topic);
      return offsets.find((one) => one.partition === partition)?.low ?? 0;
    },
  });
  const open = new Set<{ close(): Promise<void> }>();

  const openProducer = async (): Promise<Producer> => {
    const producer = new KafkaProducer({
      createClient: () => createClient((kafka) => kafka.producer(IDEMPOTENT)),
      partitionCount,
      clock,
      logger,
      onClosed: () => open.delete(producer),
    });
    open.add(producer);
    await producer.open();
    return producer;
  };

  const committedPosition = positionReader(topics);
  const connectInTurn = pLimit(LIMITS.connectionsAtOnceMax);
  const openTransactor = async (options: TransactorOptions): Promise<Transactor> => {
    const transactor = new KafkaTransactor(options, {
      createClient: (transactionalId) =>
        createClient((kafka) => createTransactional(kafka, transactionalId)),
      connectInTurn,
      partitionCount,
      committedPosition,
      clock,
      onClosed: () => open.delete(transactor),
    });
    open.add(transactor);
    return transactor;
  };

  const openConsumer = (options: ConsumerOptions): Consumer => {
    const closer = { close: () => consumer.stop() };
    const consumer = new KafkaConsumer(options, {
      createClient: () => createClient((kafka) => createConsumer(kafka, options)),
      partitionCount,
      clock,
      logger,
      onClosed: () => open.delete(closer),
    });
    open.add(closer);
    return consumer;
  };

  return {
    ensureTopics: (specs) => topics.ensure(specs),
    partitionCount,
    offsets: (topic) => topics.offsets(topic),
    offsetsAt: (topic, timestampMs) => topics.offsetsAt(topic, timestampMs),
    committedOffsets: (groupId, topic) => topics.committedOffsets(groupId, topic),
    groupMembers: (groupId) => topics.members(groupId),
    fetch: (request) => reader.fetch(request),
    openProducer,
    openTransactor,
    openConsumer,
    close: async () => {
      await Promise.all([...open].map((opened) => opened.close()));
      await reader.close();
      await topics.close();
    },
  };
}

/** An answer has all partitions of a topic, and a consumer takes over many at once. */
function positionReader(topics: KafkaTopics): TransactorDependencies['committedPosition'] {
  const lookups = new Map<string, SharedLookup<ReadonlyMap<number, CommittedPosition>>>();
  return async ({ groupId, topic, partition }) => {
    const key = `${groupId} ${topic}`;
    const known = lookups.get(key);
    const lookup = known ?? new SharedLookup(() => topics.committed(groupId, topic));
    if (known === undefined) lookups.set(key, lookup);
    const committed = await lookup.ask();
    return committed.get(partition) ?? { offset: undefined, note: undefined };
  };
}

function createTransactional(kafka: KafkaJs.Kafka, transactionalId: string): KafkaJs.Producer {
  // kafkajs refuses `idempotent` without retries, but a transactional producer is idempotent
  // anyway, and its own retries commit duplicates (README.md, bug E).
  return kafka.producer({
    transactionalId,
    createPartitioner,
    maxInFlightRequests: 1,
    transactionTimeout: LIMITS.transactionTimeoutMs,
    retry: { retries: 0 },
  });
}

function createConsumer(kafka: KafkaJs.Kafka, options: ConsumerOptions): KafkaJs.Consumer {
  return kafka.consumer({
    groupId: options.groupId,
    readUncommitted: !options.readCommitted,
    sessionTimeout: LIMITS.sessionTimeoutMs,
    heartbeatInterval: LIMITS.heartbeatIntervalMs,
    rebalanceTimeout: LIMITS.rebalanceTimeoutMs,
    maxWaitTimeInMs: LIMITS.fetchWaitMsMax,
    maxBytes: LIMITS.fetchBytesMax,
    maxBytesPerPartition: LIMITS.fetchBytesPerPartitionMax,
    // Crashes are judged and restarted by KafkaConsumer.
    retry: { ...CALL_RETRY, restartOnFailure: async () => false },
  });
}
