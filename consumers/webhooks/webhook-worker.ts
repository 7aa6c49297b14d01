import type { Redis } from 'ioredis';
import { RedisWatch } from '#consumers/jobs/redis-watch.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import type { RedisSettings } from '#runtime/redis.ts';
import type { Framing } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { Deliveries } from './deliveries.ts';
import { Feed } from './feed.ts';
import type { Hook } from './hook.ts';
import { HookStore } from './hook-store.ts';
import { patientRedis } from './redis-link.ts';
import { HookTelemetry, logTelemetry } from './telemetry.ts';

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
  readonly logger: Logger;
  /** It cannot go on. */
  readonly onFailed: (error: unknown) => void;
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
  readonly #hooks: readonly { feed: Feed; deliveries: Deliveries }[];
  readonly #stopTelemetry: Cancel;
  #isStopping = false;

  constructor(options: WebhookWorkerOptions) {
    this.#options = options;
    const { hooks, clock, logger, prefix, random } = options;
    this.#watch = new RedisWatch(clock, logger);
    this.#redis = patientRedis(options.redis);
    this.#redis.on('error', (error) => this.#watch.fault(error));
    this.#redis.on('ready', () => this.#watch.back());
    const onError = (error: Error) => this.#watch.fault(error);
    const counted = hooks.map((hook) => ({
      name: hook.name,
      hook,
      telemetry: new HookTelemetry(),
    }));
    this.#stopTelemetry = logTelemetry(counted, clock, logger);
    this.#hooks = counted.map(({ name, hook, telemetry }) => {
      const store = new HookStore(this.#redis, prefix, name, onError);
      const common = { hook, store, telemetry, clock, logger };
      return {
        feed: new Feed({ ...options, ...common }),
        deliveries: new Deliveries({
          ...{ ...common, prefix, onError },
          ...{ redis: this.#redis, random: random.fork(name) },
        }),
      };
    });
  }

  /** Does not wait for anything: a hook begins when what it needs is there. */
  start(): void {
    const fail = (error: unknown) => {
      if (!this.#isStopping) this.#options.onFailed(error);
    };
    for (const { feed, deliveries } of this.#hooks) {
      feed.start().catch(fail);
      deliveries.run().catch(fail);
    }
  }

  /** Waits for answers that are on their way, for a while. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopTelemetry();
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
}
