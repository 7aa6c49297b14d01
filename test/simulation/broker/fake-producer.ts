import { assert } from '#runtime/assert.ts';
import type { AppendedAt, OutgoingRecord, Producer } from '#runtime/broker.ts';
import { codeOf, describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import type { Host } from '../host.ts';
import type { Cluster } from './cluster.ts';
import type { LogRecord, PartitionLog } from './partition-log.ts';

/** The records of one call for one partition; Kafka takes or refuses them together. */
interface Part {
  readonly log: PartitionLog;
  readonly records: readonly LogRecord[];
}

type OnAppended = (appended: AppendedAt) => void;

/**
 * The idempotent producer: repetitions under one producer id are recognised. Now and then a failure
 * costs it that id, as it does in the adapter, and what was not acknowledged is written twice.
 */
export class FakeProducer implements Producer {
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #random: Random;
  #producerId: number;
  readonly #sequences = new Map<PartitionLog, number>();
  #last: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(cluster: Cluster, host: Host, random: Random) {
    this.#cluster = cluster;
    this.#host = host;
    this.#random = random;
    this.#producerId = cluster.newProducerId();
  }

  send(records: readonly OutgoingRecord[], onAppended?: OnAppended): Promise<void> {
    assert(!this.#isClosed, 'a closed producer was asked to send');
    const sent = this.#last.then(() => this.#sendAll(records, onAppended));
    this.#last = sent.catch(() => undefined);
    return sent;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#last;
  }

  async #sendAll(records: readonly OutgoingRecord[], onAppended?: OnAppended): Promise<void> {
    const { clock } = this.#host;
    const deadlineMs = clock.monotonicMs() + LIMITS.produceTimeoutMs;
    const left = new Set(partsOf(records, this.#cluster, clock.nowUs()));
    let delayMs: number = LIMITS.produceRetryDelayMsMin;
    while (true) {
      try {
        await this.#write(left, onAppended);
        return;
      } catch (error) {
        if (codeOf(error) !== 'broker-unavailable') throw error;
        const isLast = this.#isClosed || clock.monotonicMs() + delayMs >= deadlineMs;
        // Other records under the sequence numbers of these could pass for repetitions of them.
        if (isLast || this.#random.integer(4) === 0) this.#forgetId();
        if (isLast) throw new HalfsightError('publish-failed', describeError(error));
      }
      await clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, LIMITS.produceRetryDelayMsMax);
    }
  }

  /** One request. What it answers for is taken out of `left`. */
  async #write(left: Set<Part>, onAppended?: OnAppended): Promise<void> {
    const id = this.#producerId;
    const asked = [...left].map((part) => ({
      part,
      firstSequence: this.#sequences.get(part.log) ?? 0,
    }));
    const answered = await this.#cluster.network.call(this.#host, () => {
      // Partitions have leaders of their own: one may be away while another is not.
      const reached = asked.filter(() => !this.#cluster.network.isFaulty());
      return reached.map(({ part, firstSequence }) => {
        const { log, records } = part;
        const bytes = records.reduce((sum, { value }) => sum + value.length, 0);
        this.#cluster.checkSize(log.topic, bytes);
        const baseOffset = log.appendIdempotent(records, { id, firstSequence });
        return { part, firstSequence, baseOffset };
      });
    });
    for (const { part, firstSequence, baseOffset } of answered) {
      left.delete(part);
      const { topic, partition } = part.log;
      if (baseOffset !== undefined) onAppended?.({ topic, partition, baseOffset });
      this.#sequences.set(part.log, firstSequence + part.records.length);
    }
    if (left.size === 0) return;
    throw new HalfsightError('broker-unavailable', `nobody answered for ${left.size} partitions.`);
  }

  #forgetId(): void {
    this.#producerId = this.#cluster.newProducerId();
    this.#sequences.clear();
  }
}

/** By partition, in the order of the records. */
export function partsOf(
  records: readonly OutgoingRecord[],
  cluster: Cluster,
  nowUs: number,
): Part[] {
  const timestampMs = Math.floor(nowUs / 1000);
  const parts = new Map<PartitionLog, LogRecord[]>();
  for (const { topic, key, value, headers, rawHeaders } of records) {
    const log = cluster.partitionFor(topic, key);
    const part = parts.get(log) ?? [];
    parts.set(log, part);
    part.push({ key, value, headers: { ...headers, ...rawHeaders }, timestampMs });
  }
  return [...parts].map(([log, of]) => ({ log, records: of }));
}
