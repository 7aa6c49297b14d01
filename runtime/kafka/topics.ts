import type { PartitionOffsets, TopicDifference, TopicSpec } from '../broker.ts';
import type { Clock } from '../clock.ts';
import { HalfsightError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { insist } from './insist.ts';
import { errorType, TOPIC_ADVICE, toHalfsightError } from './kafka-error.ts';
import { type KafkaJs, kafkajs } from './kafkajs.ts';
import type { CommittedPosition } from './transactor.ts';

/** `DYNAMIC_TOPIC_CONFIG`: set on the topic itself, not inherited from the broker. */
const SET_ON_TOPIC = 1;

/** What brokers answer about a topic between its creation and its first leaders. */
const NOT_YET_THERE = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
]);

interface Connection {
  readonly admin: Promise<KafkaJs.Admin>;
  /** Calls that are under way on it. */
  users: number;
}

/** What is asked of the cluster outside of producing and consuming. */
export class KafkaTopics {
  readonly #createAdmin: () => KafkaJs.Admin;
  readonly #clock: Clock;
  readonly #partitionCounts = new Map<string, number>();
  #connection: Connection | undefined;
  #isClosed = false;

  constructor(createAdmin: () => KafkaJs.Admin, clock: Clock) {
    this.#createAdmin = createAdmin;
    this.#clock = clock;
  }

  async ensure(specs: readonly TopicSpec[]): Promise<TopicDifference[]> {
    return this.#with('creating topics', async (admin) => {
      const existing = new Set(await admin.listTopics());
      const missing = specs.filter(({ name }) => !existing.has(name));
      const present = specs.filter(({ name }) => existing.has(name));
      if (missing.length > 0) {
        // kafkajs' own wait for leaders fails where a broker has not heard of the topic yet.
        await admin.createTopics({ waitForLeaders: false, topics: missing.map(toTopicConfig) });
        await this.#untilLed(admin, missing);
      }
      const created = missing.map((spec): TopicDifference => {
        const wanted = `${spec.partitionCount} partitions`;
        return { topic: spec.name, setting: 'topic', wanted, found: undefined, action: 'created' };
      });
      const changed = present.length === 0 ? [] : await this.#reconcile(admin, present);
      return [...created, ...changed];
    });
  }

  async partitionCount(topic: string): Promise<number> {
    const known = this.#partitionCounts.get(topic);
    if (known !== undefined) return known;
    return this.#ask(`looking up topic ${topic}`, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch((error) => {
        if (errorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error;
        const message = `topic ${topic} does not exist.`;
        throw new HalfsightError('topic-missing', message, { advice: TOPIC_ADVICE });
      });
      const count = topics[0]?.partitions.length ?? 0;
      if (count > 0) this.#partitionCounts.set(topic, count);
      return count;
    });
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    await this.partitionCount(topic);
    return this.#ask(`reading the offsets of ${topic}`, async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets
        .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
        .sort((one, other) => one.partition - other.partition);
    });
  }

  async offsetsAt(topic: string, timestampMs: number): Promise<ReadonlyMap<number, number>> {
    await this.partitionCount(topic);
    return this.#ask(`looking for a time on ${topic}`, async (admin) => {
      const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs);
      return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }

  async committed(groupId: string, topic: string): Promise<ReadonlyMap<number, CommittedPosition>> {
    await this.partitionCount(topic);
    return this.#ask(`reading the position of ${groupId}`, async (admin) => {
      const topics = await admin.fetchOffsets({ groupId, topics: [topic] });
      const partitions = topics.find((entry) => entry.topic === topic)?.partitions ?? [];
      return new Map(
        partitions.map(({ partition, offset, metadata }) => [
          partition,
          {
            offset: Number(offset) < 0 ? undefined : Number(offset),
            note: metadata === null || metadata === '' ? undefined : metadata,
          },
        ]),
      );
    });
  }

  async committedOffsets(groupId: string, topic: string): Promise<ReadonlyMap<number, number>> {
    const committed = await this.committed(groupId, topic);
    return new Map(
      [...committed].flatMap(([partition, { offset }]) =>
        offset === undefined ? [] : [[partition, offset] as const],
      ),
    );
  }

  async members(groupId: string): Promise<readonly string[]> {
    return this.#ask(`looking up the members of ${groupId}`, async (admin) => {
      const { groups } = await admin.describeGroups([groupId]);
      return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined) await disconnect(connection);
  }

  /** Waits until every partition of new topics has a leader: so they can be written at once. */
  async #untilLed(admin: KafkaJs.Admin, specs: readonly TopicSpec[]): Promise<void> {
    const names = specs.map(({ name }) => name);
    const deadlineMs = this.#clock.monotonicMs() + LIMITS.topicCreationTimeoutMs;
    while (true) {
      try {
        const { topics } = await admin.fetchTopicMetadata({ topics: names });
        const partitions = topics.flatMap((topic) => topic.partitions);
        if (partitions.every(({ leader }) => leader >= 0)) {
          // A broker may be named as leader before it knows; only leaders tell offsets.
          for (const name of names) await admin.fetchTopicOffsets(name);
          return;
        }
      } catch (error) {
        if (!NOT_YET_THERE.has(errorType(error) ?? '')) throw error;
      }
      if (this.#clock.monotonicMs() > deadlineMs) {
        const message = `new topics have no leader after ${LIMITS.topicCreationTimeoutMs} ms.`;
        throw new HalfsightError('broker-unavailable', message);
      }
      await this.#clock.sleep(LIMITS.topicPollIntervalMs);
    }
  }

  async #reconcile(admin: KafkaJs.Admin, specs: readonly TopicSpec[]): Promise<TopicDifference[]> {
    const type = kafkajs.ConfigResourceTypes.TOPIC;
    const names = specs.map(({ name }) => name);
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type, name })),
    });
    const differences: TopicDifference[] = [];
    for (const spec of specs) {
      const found = topics.find(({ name }) => name === spec.name);
      const entries = resources.find(({ resourceName }) => resourceName === spec.name);
      const settings = settingDifferences(spec, entries?.configEntries ?? []);
      if (settings.length > 0) {
        // The protocol of kafkajs replaces all settings of a topic, so those that others made are
        // repeated.
        const kept = (entries?.configEntries ?? [])
          .filter(({ configSource }) => Number(configSource) === SET_ON_TOPIC)
          .map(({ configName, configValue }) => [configName, configValue] as const);
        const all = new Map([...kept, ...Object.entries(spec.settings)]);
        const configEntries = [...all].map(([name, value]) => ({ name, value }));
        const resource = { type, name: spec.name, configEntries };
        await admin.alterConfigs({ validateOnly: false, resources: [resource] });
      }
      differences.push(...shapeDifferences(spec, found?.partitions ?? []), ...settings);
    }
    return differences;
  }

  /** As `#with`, for what may be asked again: also where a coordinator or a leader just moves. */
  #ask<T>(doing: string, question: (admin: KafkaJs.Admin) => Promise<T>): Promise<T> {
    return insist(this.#clock, () => this.#with(doing, question));
  }

  /**
   * Runs `action` on the shared admin connection. A failed one is replaced next time, and closed
   * when nobody uses it any more: a broker that says "not yet" to one may be answering others.
   */
  async #with<T>(doing: string, action: (admin: KafkaJs.Admin) => Promise<T>): Promise<T> {
    // A repeated question would connect anew.
    if (this.#isClosed) throw new HalfsightError('broker-unavailable', `${doing}: it was closed.`);
    this.#connection ??= { admin: this.#connect(), users: 0 };
    const connection = this.#connection;
    connection.users++;
    try {
      return await action(await connection.admin);
    } catch (error) {
      const failure = toHalfsightError(error, doing);
      if (failure.canRetry && this.#connection === connection) this.#connection = undefined;
      throw failure;
    } finally {
      connection.users--;
      if (this.#connection !== connection && connection.users === 0) await disconnect(connection);
    }
  }

  async #connect(): Promise<KafkaJs.Admin> {
    const admin = this.#createAdmin();
    await admin.connect();
    return admin;
  }
}

async function disconnect({ admin }: Connection): Promise<void> {
  await admin.then((connected) => connected.disconnect()).catch(() => undefined);
}

function toTopicConfig(spec: TopicSpec): KafkaJs.ITopicConfig {
  return {
    topic: spec.name,
    numPartitions: spec.partitionCount,
    replicationFactor: spec.replicationFactor,
    configEntries: Object.entries(spec.settings).map(([name, value]) => ({ name, value })),
  };
}

function settingDifferences(
  spec: TopicSpec,
  entries: readonly KafkaJs.ConfigEntries[],
): TopicDifference[] {
  return Object.entries(spec.settings).flatMap(([setting, wanted]): TopicDifference[] => {
    const found = entries.find(({ configName }) => configName === setting)?.configValue;
    if (found === wanted) return [];
    return [{ topic: spec.name, setting, wanted, found, action: 'altered' }];
  });
}

/** Partitions and replicas are never changed here: it would move keys to other partitions. */
function shapeDifferences(
  spec: TopicSpec,
  partitions: readonly KafkaJs.PartitionMetadata[],
): TopicDifference[] {
  const replicas = partitions[0]?.replicas.length ?? 0;
  const shape = [
    ['partitions', spec.partitionCount, partitions.length],
    ['replication', spec.replicationFactor, replicas],
  ] as const;
  return shape
    .filter(([, wanted, found]) => wanted !== found)
    .map(([setting, wanted, found]) => ({
      topic: spec.name,
      setting,
      wanted: String(wanted),
      found: String(found),
      action: 'manual',
    }));
}
