import { assemble } from '#consumers/inference/assemble.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { EngineChannel } from '#consumers/inference/engine-protocol.ts';
import type { Pipeline } from '#consumers/inference/pipeline.ts';
import { type CounterName, Telemetry } from '#consumers/inference/telemetry.ts';
import type { Bundle } from '#models/bundle.ts';
import type { Provider } from '#models/session.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer, type Tracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';

/** What is not given is as the consumer's own main.ts has it on a CPU. */
export interface ConsumerParts {
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly bundle: Bundle;
  readonly framing: Framing;
  readonly heads?: readonly Task[];
  readonly provider?: Provider;
  readonly batchFramesMax?: number;
  readonly commitIntervalMs?: number;
  readonly tracer?: Tracer;
  readonly spawnEngine?: () => EngineChannel;
  readonly threads?: number;
}

/** Counts as ever, and knows when: without asking again and again, which would cost. */
export class TimedTelemetry extends Telemetry {
  readonly #timesMs = new Map<CounterName, number[]>();
  readonly #waiting = new Map<
    CounterName,
    { readonly total: number; readonly reach: () => void }
  >();

  override count(name: CounterName, by = 1): void {
    super.count(name, by);
    const times = this.#timesMs.get(name) ?? [];
    if (times.length === 0) this.#timesMs.set(name, times);
    times.push(systemClock.monotonicMs());
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined && times.length >= waiting.total) waiting.reach();
  }

  /** When it was counted, each time; monotonic. */
  timesMs(name: CounterName): readonly number[] {
    return this.#timesMs.get(name) ?? [];
  }

  /** Resolves when it was counted so often. One at a time may wait for a name. */
  reached(name: CounterName, total: number): Promise<void> {
    if (this.timesMs(name).length >= total) return Promise.resolve();
    return new Promise((reach) => this.#waiting.set(name, { total, reach }));
  }
}

/** The whole inference consumer in this process, its engine in a child as ever. */
export class InProcessConsumer {
  readonly telemetry = new TimedTelemetry();
  readonly #pipeline: Pipeline;
  readonly #failure = Promise.withResolvers<never>();

  constructor(parts: ConsumerParts) {
    const { topics, bundle, heads = TASKS } = parts;
    this.#failure.promise.catch(() => undefined);
    this.#pipeline = assemble({
      settings: {
        groupId: `${topics.frames.name}-inference`,
        topics,
        engine: {
          bundleDirectory: bundle.directory,
          heads,
          provider: parts.provider ?? 'cpu',
          threads: parts.threads ?? 1,
        },
        batchFramesMax: parts.batchFramesMax ?? LIMITS.batchFramesCpuMax,
        commitIntervalMs: parts.commitIntervalMs ?? LIMITS.transactionIntervalMs,
        overload: { shedHeads: [], shedAfterMs: 10_000, skipAfterMs: undefined },
      },
      bundle,
      broker: parts.broker,
      framing: parts.framing,
      clock: systemClock,
      logger: silentLogger,
      tracer: parts.tracer ?? noTracer,
      telemetry: this.telemetry,
      spawnEngine: parts.spawnEngine ?? forkEngine,
      onFailed: this.#failure.reject,
    });
  }

  start(): Promise<void> {
    return this.#pipeline.start(this.#failure.reject);
  }

  /** Resolves when so many results of the task are committed; rejects when the consumer fails. */
  committed(task: Task, total: number): Promise<void> {
    return Promise.race([this.telemetry.reached(`results-${task}`, total), this.#failure.promise]);
  }

  drain(): Promise<void> {
    return this.#pipeline.drain();
  }
}
