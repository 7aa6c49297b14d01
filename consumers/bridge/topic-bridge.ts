import { DeletedUnread } from '#consumers/subscriber/deleted-unread.ts';
import { fixStart } from '#consumers/subscriber/start-positions.ts';
import type { Consumer } from '#runtime/broker.ts';
import type { Cancel } from '#runtime/clock.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import type { Checks } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import { PartitionLag } from '#runtime/partition-lag.ts';
import type { Prerequisite } from '#runtime/until-possible.ts';
import { bridgeGroups } from '#schemas/topics.ts';
import { type Bridge, type BridgeOptions, bridgePrerequisite } from './bridge.ts';
import { CopyLane } from './copy-lane.ts';

/**
 * Into a topic. The bridges of one task, format and topic are a group: partitions are shared, and
 * each has a lane with transactions of its own.
 *
 *   results --group--> a lane a partition --{ frames -> TOPIC, position of the group }--> committed
 *                      (copy-lane.ts)
 */
export class TopicBridge implements Bridge {
  readonly #options: BridgeOptions;
  readonly #topic: string;
  readonly #groupId: string;
  readonly #deleted: DeletedUnread;
  readonly #kafka: Prerequisite;
  /** Of this generation, by partition. */
  readonly #lanes = new Map<number, CopyLane>();
  readonly #lag: PartitionLag;
  #consumer: Consumer | undefined;
  #cancelLook: Cancel | undefined;

  constructor(options: BridgeOptions) {
    this.#options = options;
    const { broker, topics, task, format, to, telemetry, clock } = options;
    this.#topic = topics.results[task].name;
    this.#groupId = `${bridgeGroups(topics)[task]}${format.name}-${to}`;
    this.#deleted = new DeletedUnread(broker, this.#groupId, this.#topic);
    this.#kafka = bridgePrerequisite('not in its group yet', options);
    const lanes = () => [...this.#lanes.values()];
    this.#lag = new PartitionLag({ broker, topic: this.#topic, lanes, telemetry, clock });
  }

  async start(): Promise<void> {
    await this.#kafka.attempt(() => this.#begin());
  }

  ready(): Checks {
    return { kafka: this.#kafka.state };
  }

  async stop(): Promise<void> {
    this.#cancelLook?.();
    this.#lag.stop();
    await this.#consumer?.stop();
  }

  async #begin(): Promise<void> {
    const { broker, clock, from, logger, to } = this.#options;
    await this.#checkDestination();
    if (from === 'latest') await fixStart(broker, this.#groupId, this.#topic);
    await this.#noticeDeleted();
    await this.#join();
    this.#lag.start();
    this.#cancelLook = clock.every(LIMITS.deletedLookMs, () => {
      // The next look will do.
      this.#noticeDeleted().catch(() => undefined);
    });
    logger.info('bridge-started', { from: this.#topic, to, group: this.#groupId });
  }

  /** Its partitions and how long it keeps what is its owner's matter, so it is not created here. */
  async #checkDestination(): Promise<void> {
    const { broker, to } = this.#options;
    try {
      await broker.partitionCount(to);
    } catch (error) {
      if (codeOf(error) !== 'topic-missing') throw error;
      throw new HalfsightError('topic-missing', `topic ${to} does not exist.`, {
        advice:
          'Create it first: how many partitions it has, and what it keeps, is for its readers.',
        cause: error,
      });
    }
  }

  async #noticeDeleted(): Promise<void> {
    const { logger, telemetry } = this.#options;
    for await (const { partition, atMost } of this.#deleted.look()) {
      logger.error('results-deleted-unread', { partition, atMost });
      telemetry.count('dropped-deleted-unread', atMost);
    }
  }

  async #join(): Promise<void> {
    const consumer = this.#options.broker.openConsumer({
      ...{ groupId: this.#groupId, topics: [this.#topic], from: 'earliest' },
      ...{ readCommitted: true, commit: 'none' },
    });
    this.#consumer = consumer;
    await consumer.start({
      onAssigned: (assignment) => {
        for (const partition of assignment.get(this.#topic) ?? []) this.#open(partition);
      },
      onRevoked: () => this.#dropAll(),
      onRecords: (records) => this.#lanes.get(records[0]?.partition ?? -1)?.write(records),
      onReached: (_, partition, offset) => this.#lanes.get(partition)?.reached(offset),
      onFailed: this.#options.onFailed,
    });
  }

  #open(partition: number): void {
    const { broker } = this.#options;
    const place = { groupId: this.#groupId, topic: this.#topic, partition };
    const openTransactor = () => broker.openTransactor(place);
    this.#lanes.set(partition, new CopyLane({ ...this.#options, partition, openTransactor }));
  }

  #dropAll(): void {
    for (const lane of this.#lanes.values()) lane.drop();
    this.#lanes.clear();
  }
}
