import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import { FrameWriter } from '../instruments/frame-writer.ts';
import { InProcessConsumer } from '../instruments/in-process-consumer.ts';
import { quantile } from '../instruments/statistics.ts';
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
  /** Of the load generator: how fast it could have been, and how late it was when paced. */
  readonly writtenPerSecond: number;
  readonly lateMs: number;
}

/** One mode on topics of its own: first a backlog, then a steady load. */
export async function measureMode(
  brokers: readonly string[],
  mode: Mode,
  load: Load,
  prefix: string,
): Promise<Measured> {
  const broker = openBroker(brokers);
  try {
    const topics = await createTopics(broker, prefix, load.partitionCount);
    const { bundle, framing, record } = await tinyFrames();
    const writer = await FrameWriter.open(broker, {
      topic: topics.frames.name,
      cameras: Array.from({ length: load.cameraCount }, (_, index) => `camera-${index}`),
      frames: {
        framing,
        record: (identity, captureTimeUs) =>
          record(identity.sequence, { ...identity, captureTimeUs }),
      },
    });
    const writtenPerSecond = await writer.write(load.backlogFrames);
    const consumer = new InProcessConsumer({
      broker: mode.isExactlyOnce ? broker : atLeastOnce(broker),
      topics,
      bundle,
      framing,
      commitIntervalMs: mode.intervalMs,
    });
    const { telemetry } = consumer;
    await consumer.start();
    await consumer.committed('detection', load.backlogFrames);
    const [startMs = 0] = telemetry.timesMs('frames-fetched');
    const endMs = telemetry.timesMs('results-detection').at(-1) ?? 0;
    const transactions = telemetry.timesMs('transactions').length;
    const { ages, lateMs } = await measureAges(broker, topics, writer, load);
    await consumer.drain();
    return {
      framesPerSecond: (load.backlogFrames / (endMs - startMs)) * 1000,
      ageMsP50: quantile(ages, 0.5),
      ageMsP95: quantile(ages, 0.95),
      transactions,
      writtenPerSecond,
      lateMs,
    };
  } finally {
    await broker.close();
  }
}

async function measureAges(broker: Broker, topics: TopicTable, writer: FrameWriter, load: Load) {
  const ages: number[] = [];
  const reader = broker.openConsumer({
    groupId: `${topics.frames.name}-reader`,
    topics: [topics.results.detection.name],
    from: 'latest',
    readCommitted: true,
    commit: 'none',
  });
  writer.sentMs.clear();
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
  const { frames, lateMs } = await writer.pace(load.framesPerSecond, load.pacedSeconds);
  while (ages.length < frames) await systemClock.sleep(5);
  await reader.stop();
  return { ages, lateMs };
}
