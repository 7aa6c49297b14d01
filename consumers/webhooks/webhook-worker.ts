import type { Redis } from 'ioredis';
import { RedisWatch } from '#consumers/jobs/redis-watch.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { MetricSource } from '#runtime/metrics/family.ts';
import { logFigures } from '#runtime/metrics/figures.ts';
import { Metrics } from '#runtime/metrics/metrics.ts';
import { Polled } from '#runtime/polled.ts';
import type { Random } from '#runtime/random.ts';
import type { RedisSettings } from '#runtime/redis.ts';
import type { Tracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { Deliveries } from './deliveries.ts';
import { Feed } from './feed.ts';
import type { Hook } from './hook.ts';
import { HookStore } from './hook-store.ts';
import { patientRedis } from './redis-link.ts';
import { type HookReport, HookTelemetry, WEBHOOK_WORKER_METRICS } from './telemetry.ts';

export interface WebhookWorkerOptions {
  readonly hooks: readonly Hook[];
  readonly redis: RedisSettings;
  /** Of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  readonly prefix: string;
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly random: Random;
  readonly tracer: Tracer;
  readonly logger: Logger;
  /** It cannot go on. */
  readonly onFailed: (error: unknown) => void;
}

interface HookParts {
  readonly name: string;
  readonly store: HookStore;
  readonly telemetry: HookTelemetry;
  readonly feed: Feed;
  readonly deliveries: Deliveries;
}

/**
 * Sends results to hooks. Each hook has a group, a queue and a sender of its own, so that none is
 * in the way of another:
 *
 *   results --feed.ts--> queue in Redis --deliveries.ts--> receiver
 *                        (hook-store.ts)
 *
 * Several workers share the hooks: partitions by Kafka, events by BullMQ.
 */
export class WebhookWorker {
  readonly #options: WebhookWorkerOptions;
  readonly #redis: Redis;
  readonly #watch: RedisWatch;
  readonly #hooks: readonly HookParts[];
  readonly #reports: Polled<ReadonlyMap<string, HookReport>>;
  readonly #stopFigures: Cancel;
  readonly #stopping = new AbortController();
  /** For whoever exports figures. */
  readonly metrics: readonly MetricSource[];

  constructor(options: WebhookWorkerOptions) {
    this.#options = options;
    const { hooks, clock, logger } = options;
    this.#watch = new RedisWatch(clock, logger);
    this.#redis = patientRedis(options.redis);
    this.#redis.on('error', (error) => this.#watch.fault(error));
    this.#redis.on('ready', () => this.#watch.back());
    this.#hooks = hooks.map((hook) => this.#open(hook));
    this.#reports = new Polled({
      ask: () => this.#report(),
      intervalMs: LIMITS.redisLookIntervalMs,
      timeoutMs: LIMITS.jobQueueTimeoutMs,
      clock,
    });
    this.#stopFigures = logFigures(() => this.#figures(), clock, logger);
    const worker = new Metrics(WEBHOOK_WORKER_METRICS);
    worker.gauge('redis-up', () => Number(this.#reports.latest !== undefined));
    this.metrics = [worker, ...this.#hooks.map(({ telemetry }) => telemetry)];
  }

  /** Does not wait for anything: a hook begins when what it needs is there. */
  start(): void {
    const fail = (error: unknown) => {
      if (!this.#stopping.signal.aborted) this.#options.onFailed(error);
    };
    void this.#reports.run(this.#stopping.signal);
    for (const { feed, deliveries } of this.#hooks) {
      feed.start().catch(fail);
      deliveries.run().catch(fail);
    }
  }

  /** What keeps it from its work, by what it needs. */
  ready(): Readonly<Record<string, string>> {
    const outside = this.#hooks.filter(({ feed }) => !feed.hasJoined).map(({ name }) => name);
    return {
      redis: this.#reports.latest === undefined ? 'it does not answer' : 'ok',
      kafka: outside.length === 0 ? 'ok' : `not in the groups yet of: ${outside.join(', ')}`,
    };
  }

  /** Waits for answers that are on their way, for a while. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#stopFigures();
    const { clock } = this.#options;
    const stopped = Promise.all([
      ...this.#hooks.map(({ feed }) => feed.stop()),
      ...this.#hooks.map(({ deliveries }) => deliveries.stop()),
    ]);
    // Calls that wait for a Redis that is away would hold up the stop.
    if (this.#redis.status !== 'ready') this.#redis.disconnect();
    await Promise.race([stopped, clock.sleep(LIMITS.webhookDrainTimeoutMs)]);
    this.#redis.disconnect();
    await Promise.race([stopped, clock.sleep(LIMITS.closeTimeoutMs)]);
  }

  #open(hook: Hook): HookParts {
    const { name } = hook;
    const { clock, logger, tracer, prefix, random } = this.#options;
    const onError = (error: Error) => this.#watch.fault(error);
    const store = new HookStore(this.#redis, prefix, name, onError);
    const report = () => this.#reports.latest?.get(name);
    const telemetry = new HookTelemetry(name, report, clock);
    const common = { hook, store, telemetry, tracer, clock, logger };
    return {
      ...{ name, store, telemetry },
      feed: new Feed({ ...this.#options, ...common }),
      deliveries: new Deliveries({
        ...{ ...common, prefix, onError },
        ...{ redis: this.#redis, random: random.fork(name) },
      }),
    };
  }

  async #report(): Promise<ReadonlyMap<string, HookReport>> {
    const reports = this.#hooks.map(async ({ name, store }) => {
      const [health, waiting] = await Promise.all([store.health(), store.waiting()]);
      return [name, { health, waiting }] as const;
    });
    return new Map(await Promise.all(reports));
  }

  #figures() {
    return this.#hooks.map(({ name, telemetry }) => ({ hook: name, ...telemetry.snapshot() }));
  }
}
