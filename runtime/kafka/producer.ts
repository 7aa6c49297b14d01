import { assert } from '../assert.ts';
import type { AppendedAt, OutgoingRecord, Producer } from '../broker.ts';
import { type Clock, withTimeout } from '../clock.ts';
import { HalfsightError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Logger } from '../log.ts';
import type { Cuttable } from './client.ts';
import { toHalfsightError } from './kafka-error.ts';
import type { KafkaJs } from './kafkajs.ts';
import { toTopicMessages, unanswered } from './topic-messages.ts';

/** The part of kafkajs' producer that is used here. */
export type ProducerClient = Pick<KafkaJs.Producer, 'connect' | 'disconnect' | 'sendBatch'> &
  Cuttable;

/** What one kafkajs call left to be sent, and why. */
interface Attempt {
  readonly left: readonly OutgoingRecord[];
  readonly failure?: HalfsightError;
}

type OnAppended = (appended: AppendedAt) => void;

export interface ProducerOptions {
  readonly createClient: () => ProducerClient;
  readonly partitionCount: (topic: string) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onClosed: () => void;
}

/**
 * The idempotent producer. Calls are written one after another, in the order they were made, so
 * records of one key keep their order.
 *
 * Retries within one kafkajs call reuse the sequence numbers, and the broker drops what it already
 * has. When such a call fails for good the client is replaced, and what was not acknowledged is
 * sent again under a new producer id: then, and only then, a record can appear twice.
 */
export class KafkaProducer implements Producer {
  readonly #options: ProducerOptions;
  #client: ProducerClient | undefined;
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;
  #isCut = false;

  constructor(options: ProducerOptions) {
    this.#options = options;
  }

  /** Connects now, so that a wrong address or password is told at start. */
  async open(): Promise<void> {
    await this.#connected();
  }

  send(records: readonly OutgoingRecord[], onAppended?: OnAppended): Promise<void> {
    assert(!this.#isClosed, 'a closed producer was asked to send');
    const sent = this.#last.then(() => this.#sendAll(records, onAppended));
    // A failed call does not fail the ones behind it.
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  /** A call that is under way gets a moment; then it fails, and nothing of it gets out any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { clock, onClosed } = this.#options;
    const late = () => new Error('the producer is still sending');
    const ended = this.#last.then(() => this.#discard());
    await withTimeout(clock, LIMITS.producerCloseTimeoutMs, ended, late).catch(() => undefined);
    this.#isCut = true;
    this.#client?.cut();
    onClosed();
  }

  async #sendAll(records: readonly OutgoingRecord[], onAppended?: OnAppended): Promise<void> {
    const { clock, logger } = this.#options;
    const deadlineMs = clock.monotonicMs() + LIMITS.produceTimeoutMs;
    let rest = records;
    let delayMs: number = LIMITS.produceRetryDelayMsMin;
    while (rest.length > 0) {
      const { left, failure } = await this.#attempt(rest, onAppended);
      rest = left;
      if (failure === undefined) continue;
      logger.warn('publish-retried', { error: failure.message, records: rest.length });
      if (this.#isClosed || clock.monotonicMs() + delayMs >= deadlineMs) {
        // Other records under the sequence numbers of these could pass for repetitions of them.
        await this.#discard();
        throw new HalfsightError('publish-failed', failure.message, {
          cause: failure,
          ...(failure.advice === undefined ? {} : { advice: failure.advice }),
        });
      }
      await clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, LIMITS.produceRetryDelayMsMax);
    }
  }

  /** One kafkajs call. Throws what trying again cannot mend. */
  async #attempt(records: readonly OutgoingRecord[], onAppended?: OnAppended): Promise<Attempt> {
    try {
      const left = await this.#write(records, onAppended);
      if (left.length === 0) return { left };
      // No answer for anything: kafkajs knew no leader and sent nothing. A new client asks anew. If
      // there were some answers this one goes on: with its sequence numbers, what was written after
      // all is recognised.
      if (left.length === records.length) await this.#discard();
      const message = `nobody answered for ${left.length} of ${records.length} records.`;
      return { left, failure: new HalfsightError('broker-unavailable', message) };
    } catch (error) {
      await this.#discard();
      const failure = toHalfsightError(error, 'publishing');
      if (!failure.canRetry) throw failure;
      return { left: records, failure };
    }
  }

  /** Writes the records and returns those that nobody answered for (README.md, bug D). */
  async #write(
    records: readonly OutgoingRecord[],
    onAppended?: OnAppended,
  ): Promise<readonly OutgoingRecord[]> {
    const client = await this.#connected();
    const batch = await toTopicMessages(records, this.#options.partitionCount);
    const answers = await client.sendBatch({ acks: -1, topicMessages: batch.topicMessages });
    for (const { topicName: topic, partition, baseOffset } of answers) {
      const offset = Number(baseOffset ?? -1);
      if (offset >= 0) onAppended?.({ topic, partition, baseOffset: offset });
    }
    return unanswered(batch, answers);
  }

  async #connected(): Promise<ProducerClient> {
    if (this.#client !== undefined) return this.#client;
    if (this.#isCut) throw new HalfsightError('publish-failed', 'the producer was closed.');
    const client = this.#options.createClient();
    this.#client = client;
    try {
      await client.connect();
    } catch (error) {
      await this.#discard();
      throw toHalfsightError(error, 'connecting to Kafka');
    }
    return client;
  }

  /**
   * A kafkajs producer whose call failed has lost track of its sequence numbers. `disconnect` waits
   * for the answers to what is in flight, so nothing arrives late and out of order.
   */
  async #discard(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.disconnect().catch(() => undefined);
    client?.cut();
  }
}
