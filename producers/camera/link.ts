import type { Broker, Producer } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { untilPossible } from '#runtime/until-possible.ts';
import type { Framing } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import type { SchemaRegistrySettings } from '#schemas/registry-line.ts';
import type { TopicTable } from '#schemas/topics.ts';

/** What the agent needs of the outside world before it can start. */
export interface Link {
  readonly producer: Pick<Producer, 'send'>;
  readonly framing: Framing;
  /** Whether the broker was there once. */
  readonly wasReached: () => boolean;
}

export interface ConnectOptions {
  readonly schemaRegistry: SchemaRegistrySettings | undefined;
  /** Whether the agent may start although the broker is away. */
  readonly canStartWithout: boolean;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Waits for the broker (and the schema registry) for as long as it takes: after a power failure the
 * agent may be up long before them. Undefined when the agent was asked to stop meanwhile.
 */
export async function connect(
  broker: Broker,
  topics: TopicTable,
  options: ConnectOptions,
): Promise<Link | undefined> {
  const { schemaRegistry, stopping, clock, logger } = options;
  const attempt = async () => {
    // Without its ids no record can be written, not even to the disk.
    const framing = await openFraming(schemaRegistry, topics);
    return { framing, ...(await openProducer(broker, topics, options)) };
  };
  const waiting = { event: 'agent-waits', delayMs: LIMITS.publishRetryDelayMsMax };
  return await untilPossible(attempt, { ...waiting, stopping, clock, logger });
}

async function openProducer(
  broker: Broker,
  topics: TopicTable,
  { canStartWithout, logger }: ConnectOptions,
): Promise<Omit<Link, 'framing'>> {
  try {
    // A missing topic is told now rather than when the first frame cannot be published.
    await broker.partitionCount(topics.frames.name);
    await broker.partitionCount(topics.status.name);
    return { producer: await broker.openProducer(), wasReached: () => true };
  } catch (error) {
    if (!(canStartWithout && error instanceof HalfsightError && error.canRetry)) throw error;
    logger.warn('agent-starts-without-broker', { error: describeError(error) });
    const producer = new LateProducer(broker);
    return { producer, wasReached: () => producer.isOpen };
  }
}

/** Connects with the first records that can be sent. */
class LateProducer implements Pick<Producer, 'send'> {
  readonly #broker: Broker;
  #opened: Promise<Producer> | undefined;
  isOpen = false;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  async send(...[records, onAppended]: Parameters<Producer['send']>): Promise<void> {
    this.#opened ??= this.#broker.openProducer();
    let producer: Producer;
    try {
      producer = await this.#opened;
      this.isOpen = true;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
    await producer.send(records, onAppended);
  }
}
