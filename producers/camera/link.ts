import type { Broker, Producer } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Framing } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import type { TopicTable } from '#schemas/topics.ts';

/** What the agent needs of the outside world before it can start. */
export interface Link {
  readonly producer: Pick<Producer, 'send'>;
  readonly framing: Framing;
}

export interface ConnectOptions {
  readonly schemaRegistryUrl: string | undefined;
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
  const { schemaRegistryUrl, canStartWithout, stopping, clock, logger } = options;
  while (!stopping.aborted) {
    try {
      // A missing topic is told now rather than when the first frame cannot be published.
      await broker.partitionCount(topics.frames.name);
      await broker.partitionCount(topics.status.name);
      const framing = await openFraming(schemaRegistryUrl, topics);
      return { producer: await broker.openProducer(), framing };
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      if (canStartWithout && error.code !== 'schema-registry-unavailable') {
        logger.warn('agent-starts-without-broker', { error: describeError(error) });
        const framing = await openFraming(schemaRegistryUrl, topics);
        return { producer: new LateProducer(broker), framing };
      }
      logger.warn('agent-waits', { error: describeError(error) });
      await clock.sleep(LIMITS.publishRetryDelayMsMax, stopping);
    }
  }
  return undefined;
}

/** Connects with the first records that can be sent. */
class LateProducer implements Pick<Producer, 'send'> {
  readonly #broker: Broker;
  #opened: Promise<Producer> | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  async send(...[records, onAppended]: Parameters<Producer['send']>): Promise<void> {
    this.#opened ??= this.#broker.openProducer();
    let producer: Producer;
    try {
      producer = await this.#opened;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
    await producer.send(records, onAppended);
  }
}
