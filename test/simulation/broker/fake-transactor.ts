import type { OutgoingRecord, Transactor, TransactorOptions } from '#runtime/broker.ts';
import { withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Host } from '../host.ts';
import type { Cluster } from './cluster.ts';
import { partsOf } from './fake-producer.ts';
import type { Holder, TransactionCoordinator } from './transaction-coordinator.ts';

/**
 * The client's side of the transactions of one input partition: fence first, then read the
 * position; position before records; after any failure a new producer.
 */
export class FakeTransactor implements Transactor {
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #options: TransactorOptions;
  readonly #id: string;
  #holder: Holder | undefined;
  #note: string | undefined;
  #isClosed = false;
  readonly #closing = Promise.withResolvers<never>();

  constructor(cluster: Cluster, host: Host, options: TransactorOptions) {
    this.#cluster = cluster;
    this.#host = host;
    this.#options = options;
    this.#id = `${options.groupId}-${options.topic}-${options.partition}`;
    this.#closing.promise.catch(() => undefined);
  }

  get note(): string | undefined {
    return this.#note;
  }

  async acquire(): Promise<number | undefined> {
    this.#holder = undefined;
    const { groupId, topic, partition } = this.#options;
    const holder = await this.#insist((coordinator) => coordinator.init(this.#id));
    const position = await this.#call(() => this.#cluster.positions.get(groupId, topic, partition));
    this.#holder = holder;
    this.#note = position?.note;
    return position?.offset;
  }

  async commit(
    records: readonly OutgoingRecord[],
    nextOffset: number,
    note?: string,
  ): Promise<void> {
    const holder = this.#holder;
    if (holder === undefined) {
      throw new HalfsightError('broker-unavailable', `${this.#id} is not acquired.`);
    }
    const { transactions } = this.#cluster;
    try {
      const position = { ...this.#options, offset: nextOffset, note };
      await this.#insist(() => transactions.begin(holder, position));
      if (records.length > 0) await this.#call(() => this.#write(holder, records));
      await this.#call(() => transactions.end(holder, true));
    } catch (error) {
      this.#holder = undefined;
      await this.#abort(holder);
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#closing.reject(this.#closed());
  }

  #write(holder: Holder, records: readonly OutgoingRecord[]): void {
    const parts = partsOf(records, this.#cluster, this.#host.clock.nowUs());
    for (const { log, records: ofLog } of parts) {
      const bytes = ofLog.reduce((sum, { value }) => sum + value.length, 0);
      this.#cluster.checkSize(log.topic, bytes);
      // Partitions have leaders of their own, so the records of a transaction may be there in part.
      if (this.#cluster.network.isFaulty()) {
        throw new HalfsightError('broker-unavailable', `${log.topic} has no leader.`);
      }
      this.#cluster.transactions.write(holder, log, ofLog);
    }
  }

  /** Tries, for a while, so that readers need not wait for the time-out. */
  async #abort(holder: Holder): Promise<void> {
    if (this.#isClosed) return;
    const aborting = this.#call(() => this.#cluster.transactions.end(holder, false));
    const late = () => new Error('abort timed out');
    await withTimeout(this.#host.clock, LIMITS.abortTimeoutMs, aborting, late).catch(
      () => undefined,
    );
  }

  /** Repeats a request while the broker says "not yet", for as long as a transaction may last. */
  async #insist<T>(request: (coordinator: TransactionCoordinator) => T | 'not-yet'): Promise<T> {
    const { clock } = this.#host;
    const deadlineMs = clock.monotonicMs() + LIMITS.transactionTimeoutMs;
    let delayMs: number = LIMITS.transactionRetryDelayMsMin;
    while (true) {
      const answer = await this.#call(() => request(this.#cluster.transactions));
      if (answer !== 'not-yet') return answer;
      if (clock.monotonicMs() + delayMs > deadlineMs) {
        throw new HalfsightError('broker-unavailable', `${this.#id} is still being settled.`);
      }
      await clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, LIMITS.transactionRetryDelayMsMax);
    }
  }

  #call<T>(execute: () => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(this.#closed());
    return Promise.race([this.#cluster.network.call(this.#host, execute), this.#closing.promise]);
  }

  #closed(): HalfsightError {
    return new HalfsightError('broker-unavailable', `${this.#id} was closed.`);
  }
}
