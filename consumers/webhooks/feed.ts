import { judge } from '#consumers/jobs/queue-connection.ts';
import { DeletedUnread } from '#consumers/subscriber/deleted-unread.ts';
import { fixStart } from '#consumers/subscriber/start-positions.ts';
import { TopicReader } from '#consumers/subscriber/topic-reader.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { type Tracer, traceparentOf } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Result } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import { type TopicTable, webhookGroups } from '#schemas/topics.ts';
import { queueingOptions } from './attempt-trace.ts';
import { eventOf, type HookEvent } from './event.ts';
import type { Hook } from './hook.ts';
import type { HookStore } from './hook-store.ts';
import { choose } from './match.ts';
import type { HookTelemetry } from './telemetry.ts';

export interface FeedOptions {
  readonly hook: Hook;
  readonly store: HookStore;
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly telemetry: HookTelemetry;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** It cannot go on. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * Reads the results of a hook's topic in a group of its own and puts those that it wants into its
 * queue. The position is committed behind what is in the queue: a result is lost with neither Redis
 * nor this process being away. What a worker that ended had read, and not committed, is read again,
 * and left out where the queue still knows it; else it comes twice, with one id. While the queue is
 * full, or Redis away, nothing is read: then Kafka keeps what is to come.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #stopping = new AbortController();
  readonly #group: string;
  readonly #topic: string;
  readonly #deleted: DeletedUnread;
  /** Events that may be added before the queue has to be looked at again. */
  #room = 0;
  #looking: Promise<void> | undefined;
  #reader: TopicReader | undefined;
  #hasJoined = false;
  #cancelLook: Cancel | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { hook, topics, broker } = options;
    this.#topic = topics.results[hook.task].name;
    this.#group = `${webhookGroups(topics)[hook.task]}${hook.name}`;
    this.#deleted = new DeletedUnread(broker, this.#group, this.#topic);
  }

  /** Whether it has joined its group. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** A broker that is away is waited for. */
  async start(): Promise<void> {
    const { broker, clock, onFailed } = this.#options;
    await this.#patiently(() => fixStart(broker, this.#group, this.#topic));
    await this.#patiently(() => this.#noticeDeleted());
    this.#cancelLook = clock.every(LIMITS.deletedLookMs, () => {
      // The next look will do.
      this.#noticeDeleted().catch(() => undefined);
    });
    await this.#patiently(async () => {
      const reader = new TopicReader({
        broker,
        topics: [this.#topic],
        // Where records were deleted before they were read; see fixStart for the rest.
        from: 'earliest',
        groupId: this.#group,
        onRecord: (record) => this.#enter(record),
        onFailed,
      });
      this.#reader = reader;
      await reader.start();
    });
    this.#hasJoined = true;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelLook?.();
    await this.#reader?.stop();
  }

  /** Kafka keeps results for a day, whether or not a parked hook has read them. */
  async #noticeDeleted(): Promise<void> {
    const { store, logger, hook, telemetry } = this.#options;
    for await (const { partition, atMost } of this.#deleted.look()) {
      logger.error('results-deleted-unread', { hook: hook.name, partition, atMost });
      telemetry.count('dropped-deleted-unread', atMost);
      await store.count('deleted', atMost);
    }
  }

  async #enter(record: IncomingRecord): Promise<void> {
    const { hook, telemetry, tracer, clock } = this.#options;
    telemetry.count('results-read');
    // The key is the camera's id, so that results of others are not even decoded.
    if (record.key !== null && hook.cameras?.has(record.key) === false) return;
    const result = await this.#patiently(() => this.#decode(record));
    if (result === undefined) return;
    const choice = choose(hook, result);
    if (choice === 'shed' || choice === 'status-unknown') telemetry.count(`dropped-${choice}`);
    if (choice !== 'send') return;
    const parent = traceparentOf(record.headers);
    const span = tracer.start('enqueue webhook', { ...queueingOptions(hook, result), parent });
    try {
      await this.#put(eventOf(hook.name, result, clock.nowUs(), span.traceparent()));
    } finally {
      span.end();
    }
  }

  async #decode(record: IncomingRecord): Promise<Result | undefined> {
    const { framing, hook, telemetry, logger } = this.#options;
    const { partition, offset } = record;
    try {
      const value = framedValue(record);
      if (value !== null) await framing.learn(value);
      return decodeResult(hook.task, value, framing);
    } catch (error) {
      if (error instanceof HalfsightError && error.canRetry) throw error;
      telemetry.count('dropped-undecodable');
      const place = { hook: hook.name, partition, offset };
      logger.warn('result-undecodable', { ...place, error: describeError(error) });
      return undefined;
    }
  }

  async #put(event: HookEvent): Promise<void> {
    const { store, hook, telemetry, logger } = this.#options;
    const bytes = Buffer.byteLength(event.body);
    if (bytes > LIMITS.webhookBodyBytesMax) {
      logger.error('webhook-event-too-large', { hook: hook.name, event: event.id, bytes });
      telemetry.count('dropped-too-large');
      await this.#patiently(() => store.count('tooLarge'));
      return;
    }
    await this.#takeRoom();
    await this.#patiently(() => store.add(event));
    telemetry.count('events-queued');
  }

  async #takeRoom(): Promise<void> {
    while (this.#room <= 0) {
      // Partitions side by side wait for one and the same look.
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
      await this.#looking;
    }
    this.#room--;
  }

  /** Resolves when there is room. */
  async #look(): Promise<void> {
    const { store, clock } = this.#options;
    for (;;) {
      const waiting = await this.#patiently(() => store.waiting());
      this.#room = LIMITS.webhookQueueEventsMax - waiting;
      if (this.#room > 0) return;
      await clock.sleep(LIMITS.webhookFullLookMs, this.#stopping.signal);
    }
  }

  /** What cannot be done now is tried again; rejects when asked to stop meanwhile. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, logger, hook } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        const judged = judge(error);
        // Redis may refuse because it is full.
        if (!judged?.canRetry && judged?.code !== 'queue-refused') throw error;
        logger.warn('webhook-waits', { hook: hook.name, error: describeError(error) });
        await clock.sleep(LIMITS.webhookWaitMs, signal);
      }
    }
  }
}
