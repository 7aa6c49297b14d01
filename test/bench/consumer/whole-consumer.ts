import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { Provider } from '#models/session.ts';
import { TRACEPARENT_HEADER } from '#runtime/trace.ts';
import type { Task } from '#schemas/result.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import type { BundleFrames } from '../instruments/bundle-frames.ts';
import { costNow, costOfFrame, type FrameCost } from '../instruments/cost.ts';
import { evenCameras, FrameWriter } from '../instruments/frame-writer.ts';
import { InProcessConsumer } from '../instruments/in-process-consumer.ts';
import { rateWithin } from '../instruments/statistics.ts';
import {
  type Breakdown,
  breakdownOf,
  recordingTracer,
  SAMPLED,
  StageTimes,
  watchEngine,
} from './stage-times.ts';

/** The first frames pay for the first transactions and for what the engines compile. */
const WARM_SHARE = 0.2;

export interface WholeConsumerSettings {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly partitionCount: number;
  readonly camerasPerPartition: number;
  readonly heads: readonly Task[];
  readonly provider: Provider;
  readonly batchFrames: number;
  /** They all wait when the consumer starts. */
  readonly frames: number;
  /** Every frame is traced: costs time, so its throughput is not for comparing. */
  readonly isTraced: boolean;
}

export interface WholeConsumerFigures {
  /** From the fetch to the commit. */
  readonly framesPerSecond: number;
  readonly findings: number;
  /** Of this process: the consumer without its engine, which is a child. */
  readonly cost: FrameCost;
  /** Frames in a transaction, and in a batch, on average; and why batches were closed. */
  readonly framesPerCommit: number;
  readonly framesPerBatch: number;
  readonly batchesByReason: Readonly<Record<string, number>>;
  readonly writtenPerSecond: number;
  /** Only where frames are traced. */
  readonly breakdown: Breakdown | undefined;
}

export async function runWholeConsumer(
  settings: WholeConsumerSettings,
  frames: BundleFrames,
): Promise<WholeConsumerFigures> {
  const { brokers, prefix, partitionCount, heads, isTraced } = settings;
  const broker = openBroker(brokers);
  try {
    const topics = await createTopics(broker, prefix, partitionCount);
    const writer = await FrameWriter.open(broker, {
      topic: topics.frames.name,
      cameras: evenCameras(partitionCount, settings.camerasPerPartition),
      frames,
      ...(isTraced ? { headers: { [TRACEPARENT_HEADER]: SAMPLED } } : {}),
    });
    const writtenPerSecond = await writer.write(settings.frames);
    const times = new StageTimes();
    const engine = watchEngine(forkEngine, times);
    const consumer = new InProcessConsumer({
      broker,
      topics,
      bundle: frames.bundle,
      framing: frames.framing,
      heads,
      provider: settings.provider,
      batchFramesMax: settings.batchFrames,
      spawnEngine: engine.channel,
      ...(isTraced ? { tracer: recordingTracer(times) } : {}),
    });
    await consumer.start();
    const last = heads.at(-1) as Task;
    await consumer.committed(last, WARM_SHARE * settings.frames);
    const before = costNow();
    const doneBefore = consumer.telemetry.timesMs(`results-${last}`).length;
    await consumer.committed(last, settings.frames);
    const cost = costOfFrame(before, costNow(), settings.frames - doneBefore);
    const findings = engine.findings();
    await consumer.drain();
    const { telemetry } = consumer;
    const counts = telemetry.snapshot();
    const batchesByReason = Object.fromEntries(
      Object.entries(counts).filter(([name]) => name.startsWith('batch-closed-')),
    );
    const batches = Object.values(batchesByReason).reduce((sum, count) => sum + count, 0);
    return {
      framesPerSecond: rateWithin(telemetry.timesMs(`results-${last}`), WARM_SHARE, 1),
      findings,
      cost,
      framesPerCommit: settings.frames / (counts.transactions ?? 1),
      framesPerBatch: settings.frames / batches,
      batchesByReason,
      writtenPerSecond,
      breakdown: isTraced ? breakdownOf(times) : undefined,
    };
  } finally {
    await broker.close();
  }
}
