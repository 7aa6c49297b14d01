import { assemble } from '#consumers/inference/assemble.ts';
import type { InferenceSettings } from '#consumers/inference/settings.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { type Delivery, type Subscription, subscribe } from '#consumers/subscriber/subscribe.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { type ChangeOutput, type EngineTrouble, FakeEngine } from './engine.ts';
import type { Host } from './host.ts';
import type { Running } from './supervised.ts';

export const INFERENCE_GROUP = 'inference';
export const SUBSCRIBER_GROUP = 'subscriber';

interface Parts {
  readonly host: Host;
  readonly broker: Broker;
  readonly logger: Logger;
  readonly random: Random;
  readonly tiny: TinyFrames;
  readonly topics: TopicTable;
}

export interface InferenceParts extends Parts {
  readonly settings: Pick<InferenceSettings, 'batchFramesMax' | 'commitIntervalMs' | 'overload'>;
  readonly trouble: EngineTrouble;
  readonly changeOutput?: ChangeOutput | undefined;
}

/** The inference consumer with a fake engine: what consumers/inference/main.ts does. */
export class Inference implements Running {
  readonly telemetry = new Telemetry();
  readonly #pipeline: ReturnType<typeof assemble>;
  readonly #broker: Broker;

  constructor(parts: InferenceParts, onFailed: (error: unknown) => void) {
    const { host, broker, logger, tiny, topics, random, trouble } = parts;
    const { batchFramesMax, commitIntervalMs, overload } = parts.settings;
    this.#broker = broker;
    let engineCount = 0;
    this.#pipeline = assemble({
      settings: {
        groupId: INFERENCE_GROUP,
        topics,
        engine: { bundleDirectory: '', heads: TASKS, provider: 'cpu', threads: 1 },
        batchFramesMax,
        commitIntervalMs,
        overload,
      },
      bundle: tiny.bundle,
      broker,
      framing: tiny.framing,
      clock: host.clock,
      logger,
      tracer: noTracer,
      telemetry: this.telemetry,
      spawnEngine: () => {
        const ofEngine = random.fork(`engine ${engineCount++}`);
        return new FakeEngine(host, ofEngine, trouble, tiny.bundle, parts.changeOutput);
      },
      onFailed,
    });
    this.#pipeline.start(onFailed).catch(onFailed);
  }

  async drain(): Promise<void> {
    await this.#pipeline.drain();
    await this.#broker.close();
  }
}

/** How often the code of a subscriber throws, of a thousand results. */
export interface HandlerTrouble {
  handlerFailsPermille: number;
}

export interface SubscriberParts extends Parts {
  readonly trouble: HandlerTrouble;
  readonly onDelivered: (task: Task, delivery: Delivery) => void;
}

/** A member of a group of subscribers, who are given the results of all heads. */
export class Subscriber implements Running {
  #subscription: Subscription | undefined;
  readonly #broker: Broker;

  constructor(parts: SubscriberParts, onFailed: (error: unknown) => void) {
    this.#broker = parts.broker;
    this.#start(parts, onFailed).catch(onFailed);
  }

  async drain(): Promise<void> {
    await this.#subscription?.stop();
    await this.#broker.close();
  }

  async #start(parts: SubscriberParts, onFailed: (error: unknown) => void): Promise<void> {
    const { host, tiny, random, trouble, onDelivered } = parts;
    const { clock }: { clock: Clock } = host;
    const subscription = await subscribe(
      {
        ...{ broker: parts.broker, topics: parts.topics, logger: parts.logger, clock },
        framing: tiny.framing,
        tasks: TASKS,
        groupId: SUBSCRIBER_GROUP,
        from: 'earliest',
      },
      async (result, delivery) => {
        if (random.integer(8) === 0) await clock.sleep(random.integer(20));
        if (random.integer(1000) < trouble.handlerFailsPermille) {
          throw new Error('the handler is at fault');
        }
        onDelivered(result.task, delivery);
      },
    );
    this.#subscription = subscription;
    subscription.ended.catch(onFailed);
  }
}
