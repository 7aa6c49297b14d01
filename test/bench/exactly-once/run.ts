import { assemble } from '#consumers/inference/assemble.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import { TASKS } from '#schemas/result.ts';
import { type TopicTable, topicSpecs, topicTable } from '#schemas/topics.ts';
import { type TinyFrames, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { atLeastOnce } from './at-least-once.ts';

/** How a consumer commits, and how long it gathers results under load. */
export interface Mode {
  readonly isExactlyOnce: boolean;
  readonly intervalMs: number;
}

export interface Load {
  readonly cameraCount: number;
  readonly partitionCount: number;
  /** Frames that wait when the consumer starts, for its throughput. */
  readonly backlogFrames: number;
  /** Frames a second, and for how long, for the latency. */
  readonly framesPerSecond: number;
  readonly pacedSeconds: number;
}

export interface Measured {
  /** Through fetch, decode, batch, infer, publish and commit. */
  readonly framesPerSecond: number;
  /** From `send` of the frame to the result at a read-committed reader. */
  readonly ageMsP50: number;
  readonly ageMsP95: number;
  readonly transactions: number;
}

/** One mode on topics of its own: first a backlog, then a steady load. */
export async function measureMode(
  brokers: readonly string[],
  mode: Mode,
  load: Load,
  prefix: string,
): Promise<Measured> {
  const settings = { brokers, clientId: 'bench', tls: undefined, sasl: undefined };
  const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  try {
    const topics = topicTable({ prefix, partitionCount: load.partitionCount });
    await broker.ensureTopics(topicSpecs(topics));
    const tiny = await tinyFrames();
    const writer = new Writer(broker, topics, tiny, load.cameraCount);
    await writer.write(load.backlogFrames);
    const telemetry = new Telemetry();
    const failure = Promise.withResolvers<never>();
    const pipeline = assemble({
      settings: {
        groupId: `${prefix}-inference`,
        topics,
        engine: {
          bundleDirectory: tiny.bundle.directory,
          heads: TASKS,
          provider: 'cpu',
          threads: 1,
        },
        batchFramesMax: LIMITS.batchFramesCpuMax,
        commitIntervalMs: mode.intervalMs,
        overload: { shedHeads: [], shedAfterMs: 1, skipAfterMs: undefined },
      },
      bundle: tiny.bundle,
      broker: mode.isExactlyOnce ? broker : atLeastOnce(broker),
      framing: tiny.framing,
      clock: systemClock,
      logger: silentLogger,
      tracer: noTracer,
      telemetry,
      spawnEngine: forkEngine,
      onFailed: failure.reject,
    });
    const count = (name: string) => telemetry.snapshot()[name] ?? 0;
    const reach = async (name: string, wanted: number) => {
      while (count(name) < wanted) await Promise.race([systemClock.sleep(1), failure.promise]);
      return systemClock.monotonicMs();
    };
    const started = pipeline.start(failure.reject);
    const startMs = await reach('frames-fetched', 1);
    const endMs = await reach('results-detection', load.backlogFrames);
    await started;
    const transactions = count('transactions');
    const ages = await measureAges(broker, topics, writer, load);
    await pipeline.drain();
    return {
      framesPerSecond: (load.backlogFrames / (endMs - startMs)) * 1000,
      ageMsP50: quantile(ages, 0.5),
      ageMsP95: quantile(ages, 0.95),
      transactions,
    };
  } finally {
    await broker.close();
  }
}

async function measureAges(broker: Broker, topics: TopicTable, writer: Writer, load: Load) {
  const ages: number[] = [];
  const reader = broker.openConsumer({
    groupId: `${topics.frames.name}-reader`,
    topics: [topics.results.detection.name],
    from: 'latest',
    readCommitted: true,
    commit: 'none',
  });
  await reader.start({
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    onRecords: (records) => {
      const nowMs = systemClock.monotonicMs();
      for (const { headers } of records) {
        const sentMs = writer.sentMs.get(Buffer.from(headers['frame-id'] ?? '').toString());
        if (sentMs !== undefined) ages.push(nowMs - sentMs);
      }
    },
    onFailed: (error) => {
      throw error;
    },
  });
  const roundMs = (load.cameraCount / load.framesPerSecond) * 1000;
  const rounds = Math.round((load.pacedSeconds * 1000) / roundMs);
  writer.sentMs.clear();
  let dueMs = systemClock.monotonicMs();
  for (let round = 0; round < rounds; round++) {
    await writer.write(load.cameraCount);
    dueMs += roundMs;
    await systemClock.sleep(Math.max(0, dueMs - systemClock.monotonicMs()));
  }
  while (ages.length < rounds * load.cameraCount) await systemClock.sleep(5);
  await reader.stop();
  return ages;
}

/** Frames of all cameras in turn. */
class Writer {
  readonly sentMs = new Map<string, number>();
  readonly #producer: ReturnType<Broker['openProducer']>;
  readonly #topic: string;
  readonly #tiny: TinyFrames;
  readonly #cameraCount: number;
  #written = 0;

  constructor(broker: Broker, topics: TopicTable, tiny: TinyFrames, cameraCount: number) {
    this.#producer = broker.openProducer();
    this.#topic = topics.frames.name;
    this.#tiny = tiny;
    this.#cameraCount = cameraCount;
  }

  async write(count: number): Promise<void> {
    const producer = await this.#producer;
    const end = this.#written + count;
    while (this.#written < end) {
      const size = Math.min(200, end - this.#written);
      await producer.send(Array.from({ length: size }, () => this.#next()));
    }
  }

  #next() {
    const sequence = Math.floor(this.#written / this.#cameraCount);
    const cameraId = `camera-${this.#written % this.#cameraCount}`;
    this.#written++;
    const frame = this.#tiny.frame(sequence, { cameraId });
    this.sentMs.set(frameId(frame), systemClock.monotonicMs());
    return {
      topic: this.#topic,
      key: cameraId,
      value: this.#tiny.record(sequence, { cameraId }),
      headers: { 'frame-id': frameId(frame) },
    };
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return defined(sorted[Math.floor(share * (sorted.length - 1))], 'a value');
}
