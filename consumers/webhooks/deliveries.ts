import { type Job, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import type { Tracer } from '#runtime/trace.ts';
import { attemptTraced } from './attempt-trace.ts';
import type { HookEvent } from './event.ts';
import { judge } from './health.ts';
import type { Hook } from './hook.ts';
import { type HookStore, storePrefix } from './hook-store.ts';
import type { Outcome } from './post.ts';
import type { HookTelemetry } from './telemetry.ts';

export interface DeliveriesOptions {
  readonly hook: Hook;
  readonly store: HookStore;
  readonly redis: Redis;
  /** Of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: HookTelemetry;
  readonly tracer: Tracer;
  readonly logger: Logger;
  readonly onError: (error: Error) => void;
}

/** More than any hook is sent in a second: BullMQ looks for a pause only where there is a rate. */
const NO_RATE = { max: 1_000_000, duration: 1_000 };

/**
 * Takes the events of one hook from its queue, in order, and sends them.
 *
 *   waiting --> sent --2xx--> remembered for a while
 *     ^           |
 *     +-----------+  anything else: back to the front, and the whole hook waits
 *                 |
 *                 +--> set aside (refused again and again), the others go on
 *
 * After failing for long the hook is parked: all stays where it is, until `webhooks resume`. If the
 * worker dies on the way, the event keeps its place, and is sent again when its lock has ended; its
 * id says that it is the same.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;
  readonly #worker: Worker<HookEvent, void>;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
    const { hook, redis, prefix, onError } = options;
    this.#worker = new Worker(hook.name, (job) => this.#deliver(job), {
      ...{ connection: redis, prefix: storePrefix(prefix), autorun: false },
      concurrency: hook.parallel,
      limiter: NO_RATE,
      lockDuration: LIMITS.webhookLockMs,
      stalledInterval: LIMITS.webhookLockMs,
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      maximumRateLimitDelay: LIMITS.webhookLookMs,
    });
    this.#worker.on('error', onError);
  }

  /** Waits for Redis. Resolves when it is stopped. */
  async run(): Promise<void> {
    const { hook, store } = this.#options;
    await store.limit(hook.parallel);
    await this.#worker.run();
  }

  /** Waits for what is on its way, for a while. */
  async stop(): Promise<void> {
    const { clock } = this.#options;
    await Promise.race([this.#worker.close(), clock.sleep(LIMITS.webhookDrainTimeoutMs)]);
  }

  async #deliver(job: Job<HookEvent, void>): Promise<void> {
    const { hook, store, telemetry, tracer, clock } = this.#options;
    const { data: event, attemptsStarted: attempt } = job;
    const outcome = await attemptTraced({ event, hook, attempt, tracer, clock });
    if (!outcome.isAccepted) await this.#suffer(job, outcome);
    telemetry.count('events-delivered');
    telemetry.observe('delivery-ms', outcome.tookMs, job.data.traceparent);
    // Only its id is remembered.
    await job.updateData({ id: job.data.id, body: '' });
    await store.succeeded();
  }

  async #suffer(job: Job<HookEvent, void>, outcome: Outcome): Promise<never> {
    const { hook, store, telemetry, clock, random, logger } = this.#options;
    telemetry.count('attempts-failed');
    const nowMs = Math.floor(clock.nowUs() / 1000);
    const { failures, failingSinceMs } = await store.failed(outcome.text, nowMs);
    const failingForMs = nowMs - defined(failingSinceMs, 'the time of the first failure');
    const { parkAfterMs } = hook;
    const trouble = { outcome, failures, failingForMs, parkAfterMs, tries: job.attemptsStarted };
    const verdict = judge(trouble, random.next());
    const told = { hook: hook.name, event: job.data.id, outcome: outcome.text, failures };
    switch (verdict.kind) {
      case 'set-aside':
        logger.error('webhook-event-refused', told);
        telemetry.count('dropped-refused');
        await store.count('refused');
        throw new UnrecoverableError(outcome.text);
      case 'park':
        logger.error('webhook-parked', { ...told, failingForMs });
        await store.park(nowMs);
        throw Worker.RateLimitError();
      case 'retry':
        logger.warn('webhook-failed', { ...told, againInMs: verdict.delayMs });
        await store.rest(verdict.delayMs);
        throw Worker.RateLimitError();
    }
  }
}
