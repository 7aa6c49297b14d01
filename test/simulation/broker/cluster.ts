import { defined } from '#runtime/assert.ts';
import type { PartitionOffsets, TopicDifference, TopicSpec } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import type { Random } from '#runtime/random.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { GroupCoordinator } from './group-coordinator.ts';
import { GroupPositions } from './group-positions.ts';
import { Network } from './network.ts';
import { PartitionLog } from './partition-log.ts';
import { type CommittedTransaction, TransactionCoordinator } from './transaction-coordinator.ts';

interface ClusterTopic {
  spec: TopicSpec;
  readonly partitions: readonly PartitionLog[];
}

/** A Kafka cluster in memory: all that brokers know, and the network that leads to them. */
export class Cluster {
  readonly network: Network;
  readonly positions = new GroupPositions();
  readonly transactions: TransactionCoordinator;
  readonly clock: VirtualClock;
  /** Called when a transaction is decided, before anyone can see it. */
  onCommitted: (transaction: CommittedTransaction) => void = () => undefined;
  /** Called for what happens rarely, so that a run can tell that it did. */
  count: (name: string) => void = () => undefined;
  readonly #topics = new Map<string, ClusterTopic>();
  readonly #groups = new Map<string, GroupCoordinator>();
  #producerCount = 0;

  constructor(clock: VirtualClock, random: Random) {
    this.clock = clock;
    this.network = new Network(clock, random.fork('network'));
    this.transactions = new TransactionCoordinator(
      this.positions,
      clock,
      random.fork('transactions'),
      (transaction) => this.onCommitted(transaction),
      (name) => this.count(name),
    );
  }

  ensureTopic(spec: TopicSpec): TopicDifference[] {
    const topic = this.#topics.get(spec.name);
    if (topic !== undefined) return differences(topic, spec);
    const partitions = Array.from(
      { length: spec.partitionCount },
      (_, partition) => new PartitionLog(spec.name, partition),
    );
    this.#topics.set(spec.name, { spec, partitions });
    const wanted = `${spec.partitionCount} partitions`;
    return [{ topic: spec.name, setting: 'topic', wanted, found: undefined, action: 'created' }];
  }

  partitions(topic: string): readonly PartitionLog[] {
    const found = this.#topics.get(topic);
    if (found !== undefined) return found.partitions;
    throw new HalfsightError('topic-missing', `topic ${topic} does not exist.`, {
      advice: 'Create it: `npm run topics` does so for all of Halfsight.',
    });
  }

  partition(topic: string, partition: number): PartitionLog {
    return defined(this.partitions(topic)[partition], `partition ${partition} of ${topic}`);
  }

  partitionFor(topic: string, key: string): PartitionLog {
    return this.partition(topic, partitionOf(key, this.partitions(topic).length));
  }

  offsets(topic: string): PartitionOffsets[] {
    return this.partitions(topic).map(({ partition, low, high }) => ({ partition, low, high }));
  }

  group(groupId: string): GroupCoordinator {
    let group = this.#groups.get(groupId);
    if (group === undefined) {
      group = new GroupCoordinator(
        this.clock,
        (topic) => this.partitions(topic).length,
        (name) => this.count(name),
      );
      this.#groups.set(groupId, group);
    }
    return group;
  }

  /** A producer id; nobody else ever gets the same one. */
  newProducerId(): number {
    return ++this.#producerCount;
  }

  /** Throws `record-too-large` where the topic does not take a batch of this size. */
  checkSize(topic: string, bytes: number): void {
    const bytesMax = Number(this.#topics.get(topic)?.spec.settings['max.message.bytes']);
    if (!(bytes > bytesMax)) return;
    throw new HalfsightError('record-too-large', `${bytes} bytes are too many for ${topic}.`, {
      advice: 'Raise max.message.bytes of the topic, or send less.',
    });
  }
}

/** What differs is altered, except for partitions, whose number decides where a key goes. */
function differences(topic: ClusterTopic, wanted: TopicSpec): TopicDifference[] {
  const { spec } = topic;
  const altered = Object.entries(wanted.settings)
    .filter(([setting, value]) => spec.settings[setting] !== value)
    .map(
      ([setting, value]): TopicDifference => ({
        topic: spec.name,
        setting,
        wanted: value,
        found: spec.settings[setting],
        action: 'altered',
      }),
    );
  topic.spec = { ...spec, settings: { ...spec.settings, ...wanted.settings } };
  if (wanted.partitionCount === spec.partitionCount) return altered;
  const found = String(spec.partitionCount);
  const setting = 'partitions';
  const partitions = { topic: spec.name, setting, wanted: String(wanted.partitionCount), found };
  return [...altered, { ...partitions, action: 'manual' }];
}
