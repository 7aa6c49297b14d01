import type { Consumer, ConsumerHandlers, ConsumerOptions } from '#runtime/broker.ts';
import { withTimeout } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Host } from '../host.ts';
import type { Cluster } from './cluster.ts';
import type { Joined, Standing } from './group-coordinator.ts';
import type { LogSlice, PartitionLog } from './partition-log.ts';

/** Heartbeats in a row that may fail before the connection is given up. */
const FAILURES_MAX = 3;
/** A fetch of partitions that have nothing new waits for so long at the broker. */
const FETCH_WAIT_MS = 500;

/** What a member does between two rounds of joining. */
class Generation {
  readonly joined: Joined;
  /** Where to fetch next, by partition; those that are not known yet are not fetched. */
  readonly offsets = new Map<PartitionLog, number>();
  readonly ended = Promise.withResolvers<Standing>();
  isOver = false;

  constructor(joined: Joined) {
    this.joined = joined;
    this.ended.promise.catch(() => undefined);
  }

  end(standing: Standing): void {
    this.isOver = true;
    this.ended.resolve(standing);
  }

  fail(error: unknown): void {
    this.isOver = true;
    this.ended.reject(error);
  }
}

/**
 * A member of a group.
 *
 *   joining --assigned--> serving --rebalancing, thrown out--> joining
 *      |                     |
 *      +----- broker away ---+--> waiting --> joining as someone new        stop: from anywhere
 */
export class FakeConsumer implements Consumer {
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #options: ConsumerOptions;
  readonly #recordsPerFetchMax: number;
  readonly #paused = new Set<string>();
  readonly #handling = new Set<Promise<unknown>>();
  readonly #joined = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  #handlers: ConsumerHandlers | undefined;
  #memberId: string | undefined;
  #generation: Generation | undefined;
  #wakeFetch: () => void = () => undefined;
  #isAssigned = false;
  #stopped: Promise<void> | undefined;

  constructor(cluster: Cluster, host: Host, options: ConsumerOptions, recordsPerFetchMax: number) {
    this.#cluster = cluster;
    this.#host = host;
    this.#options = options;
    this.#recordsPerFetchMax = recordsPerFetchMax;
    this.#joined.promise.catch(() => undefined);
  }

  async start(handlers: ConsumerHandlers): Promise<void> {
    for (const topic of this.#options.topics) {
      await this.#call(() => this.#cluster.partitions(topic));
    }
    const joined = this.#joined.promise;
    if (this.#isStopped) return joined;
    this.#handlers = handlers;
    void this.#run();
    const late = () => {
      const message = `the consumer group ${this.#options.groupId} could not be joined.`;
      return new HalfsightError('broker-unavailable', message);
    };
    try {
      await withTimeout(this.#host.clock, LIMITS.joinTimeoutMs, joined, late);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  pause(topic: string, partition: number): void {
    this.#paused.add(`${topic} ${partition}`);
  }

  resume(topic: string, partition: number): void {
    if (this.#paused.delete(`${topic} ${partition}`)) this.#wakeFetch();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#joined.reject(new HalfsightError('broker-unavailable', 'stopped before it had joined.'));
    this.#revoke();
    const handled = Promise.allSettled(this.#handling);
    const late = () => new Error('the handler does not end');
    const { clock } = this.#host;
    await withTimeout(clock, LIMITS.consumerStopTimeoutMs, handled, late).catch(() => undefined);
    this.#generation?.end('fine');
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const memberId = this.#memberId;
    this.#memberId = undefined;
    if (memberId === undefined) return;
    const leaving = this.#call(() => this.#group().leave(memberId));
    await leaving.catch(() => undefined);
  }

  // ---- Membership --------------------------------------------------------------------------

  async #run(): Promise<void> {
    let delayMs: number = LIMITS.consumerRestartDelayMsMin;
    while (!this.#isStopped) {
      try {
        const joined = await this.#join();
        if (this.#isStopped) return await this.#leave();
        delayMs = LIMITS.consumerRestartDelayMsMin;
        const generation = new Generation(joined);
        this.#generation = generation;
        this.#assign(joined);
        const standing = await this.#serve(generation);
        // Thrown out, it hears of it from nobody; the next assignment tells.
        if (standing === 'rebalancing') this.#revoke();
      } catch {
        this.#revoke();
        this.#memberId = undefined;
        await this.#host.clock.sleep(delayMs, this.#stopping.signal);
        delayMs = Math.min(delayMs * 2, LIMITS.consumerRestartDelayMsMax);
      }
    }
  }

  async #join(): Promise<Joined> {
    while (true) {
      const { topics } = this.#options;
      const memberId = this.#memberId;
      const joined = await this.#call(() => this.#group().join(memberId, topics));
      if (joined === 'unknown') {
        this.#memberId = undefined;
        continue;
      }
      this.#memberId = joined.memberId;
      return joined;
    }
  }

  #assign({ assignment }: Joined): void {
    this.#revoke();
    this.#paused.clear();
    this.#isAssigned = true;
    this.#handlers?.onAssigned(assignment);
    this.#joined.resolve();
  }

  #revoke(): void {
    if (!this.#isAssigned) return;
    this.#isAssigned = false;
    this.#handlers?.onRevoked();
  }

  async #serve(generation: Generation): Promise<Standing> {
    void this.#beat(generation);
    this.#fetchUntilOver(generation).catch((error) => generation.fail(error));
    return await generation.ended.promise;
  }

  /** Goes on while a handler works, else a slow one would cost the membership. */
  async #beat(generation: Generation): Promise<void> {
    const { memberId, generation: number } = generation.joined;
    let failures = 0;
    while (true) {
      await this.#host.clock.sleep(LIMITS.heartbeatIntervalMs);
      if (generation.isOver) return;
      try {
        const standing = await this.#call(() => this.#group().heartbeat(memberId, number));
        failures = 0;
        if (standing !== 'fine') generation.end(standing);
      } catch (error) {
        if (++failures >= FAILURES_MAX) generation.fail(error);
      }
    }
  }

  // ---- Records -----------------------------------------------------------------------------

  async #fetchUntilOver(generation: Generation): Promise<void> {
    await this.#findOffsets(generation);
    while (!generation.isOver && !this.#isStopped) {
      // Out of range: it goes on with the oldest record, and tells nobody.
      for (const [log, offset] of generation.offsets) {
        generation.offsets.set(log, Math.max(offset, log.low));
      }
      const wanted = [...generation.offsets].filter(([log]) => !this.#isPaused(log));
      if (wanted.length === 0) {
        await this.#resumed();
        continue;
      }
      const slices = await this.#call(() => this.#fetch(wanted));
      if (generation.isOver || this.#isStopped) return;
      const handed = slices.map(([log, slice]) => this.#handOut(generation, log, slice));
      for (const one of handed) {
        this.#handling.add(one);
        void one.finally(() => this.#handling.delete(one)).catch(() => undefined);
      }
      await Promise.all(handed);
    }
  }

  async #findOffsets(generation: Generation): Promise<void> {
    const { groupId, from } = this.#options;
    const { assignment } = generation.joined;
    const offsets = await this.#call(() =>
      [...assignment].flatMap(([topic, partitions]) =>
        partitions.map((partition) => {
          const log = this.#cluster.partition(topic, partition);
          const position = this.#cluster.positions.get(groupId, topic, partition);
          return [log, position?.offset ?? (from === 'earliest' ? 0 : log.high)] as const;
        }),
      ),
    );
    for (const [log, offset] of offsets) generation.offsets.set(log, offset);
  }

  /** What there is; where there is nothing, what comes within the time that a fetch may wait. */
  async #fetch(
    wanted: readonly (readonly [PartitionLog, number])[],
  ): Promise<(readonly [PartitionLog, LogSlice])[]> {
    const { readCommitted } = this.#options;
    const read = () =>
      wanted
        .map(([log, from]) => {
          return [log, log.read(from, this.#recordsPerFetchMax, readCommitted)] as const;
        })
        .filter(([, { nextOffset }], index) => nextOffset > (wanted[index]?.[1] ?? 0));
    const found = read();
    if (found.length > 0) return found;
    await new Promise<void>((resolve) => {
      const cancels = wanted.map(([log]) => log.onGrowth(finish));
      const cancelTimer = this.#cluster.clock.after(FETCH_WAIT_MS, finish);
      function finish(): void {
        cancelTimer();
        for (const cancel of cancels) cancel();
        resolve();
      }
    });
    return read();
  }

  async #handOut(
    generation: Generation,
    log: PartitionLog,
    { records, nextOffset }: LogSlice,
  ): Promise<void> {
    if (this.#isPaused(log) || this.#isStopped) return;
    try {
      if (records.length > 0) await this.#handlers?.onRecords(records);
    } catch (error) {
      this.#fail(generation, error);
      return;
    }
    if (generation.isOver) return;
    generation.offsets.set(log, nextOffset);
    this.#handlers?.onReached?.(log.topic, log.partition, nextOffset);
    if (this.#options.commit === 'none' || records.length === 0) return;
    const standing = await this.#call(() => this.#commit(generation, log, nextOffset));
    if (standing !== 'fine') generation.end(standing);
  }

  #commit({ joined }: Generation, log: PartitionLog, offset: number): Standing {
    const standing = this.#group().standing(joined.memberId, joined.generation);
    const { topic, partition } = log;
    const { groupId } = this.#options;
    if (standing === 'fine') {
      this.#cluster.positions.move({ groupId, topic, partition, offset, note: undefined });
    }
    return standing;
  }

  #fail(generation: Generation, error: unknown): void {
    if (this.#isStopped || generation.isOver) return;
    this.#stopping.abort();
    this.#revoke();
    this.#handlers?.onFailed(error instanceof Error ? error : new Error(String(error)));
    generation.end('fine');
    void this.#leave();
  }

  async #resumed(): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#host.clock.after(FETCH_WAIT_MS, resolve);
      this.#wakeFetch = () => {
        cancel();
        resolve();
      };
    });
  }

  #isPaused({ topic, partition }: PartitionLog): boolean {
    return this.#paused.has(`${topic} ${partition}`);
  }

  #group() {
    return this.#cluster.group(this.#options.groupId);
  }

  #call<T>(execute: () => T | Promise<T>): Promise<T> {
    return this.#cluster.network.call(this.#host, execute);
  }
}
