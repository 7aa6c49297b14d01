import { fileURLToPath } from 'node:url';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Task } from '#schemas/result.ts';
import { createTopics, openBroker } from '../instruments/bench-topics.ts';
import type { BundleFrames } from '../instruments/bundle-frames.ts';
import { BenchChild } from '../instruments/child.ts';
import { costOfFrame } from '../instruments/cost.ts';
import { evenCameras, FrameWriter } from '../instruments/frame-writer.ts';
import { rateWithin } from '../instruments/statistics.ts';
import type { PlanConsumerFigures, PlanConsumerSettings } from './consumer-protocol.ts';
import { processorUs } from './process-cost.ts';
import { OWN_TOPICS, topicBytes } from './topic-bytes.ts';

const PROGRAM = fileURLToPath(new URL('./consumer-main.ts', import.meta.url));
/** The first frames pay for the first transactions and for what the engines compile. */
const WARM_SHARE = 0.3;
/** The last frames share their transactions with few others. */
const FULL_SHARE = 0.85;
/** A consumer that has nothing to do asks the broker again and again. */
const IDLE_SECONDS = 5;
/** As many partitions as that are in each send of the writer, so that batches can be counted. */
const RECORDS_PER_SEND = 200;

export interface ConsumerCase {
  readonly name: string;
  readonly partitionCount: number;
  readonly camerasPerPartition: number;
  readonly heads: readonly Task[];
  /** `fast`: a real one with the model of tests. `stub`: frames are handed to no other process. */
  readonly engine: 'real' | 'fast' | 'stub';
  readonly frames: number;
}

/** The real broker that everything runs on. */
export interface Bench {
  readonly brokers: readonly string[];
  readonly brokerPid: number;
  readonly brokerDirectory: string;
}

export interface ConsumerMeasured {
  readonly framesPerSecond: number;
  readonly mainUs: number;
  readonly allUs: number;
  /** Processor time of the engine process. */
  readonly engineUs: number;
  readonly transactionsPerFrame: number;
  readonly commitMs: number;
  readonly decodeUs: number;
  readonly bodyUs: number;
  /** By head that ran. */
  readonly headUs: Readonly<Partial<Record<Task, number>>>;
  readonly residentMib: number;
  readonly engineResidentMib: number;
  readonly brokerUs: number;
  /** In a second, when nothing was left to do. */
  readonly brokerIdleUs: number;
  readonly mainIdleUs: number;
  readonly allIdleUs: number;
  /** Of the frame topic, a frame, in batches of so many. */
  readonly frameBytes: number;
  readonly recordsPerBatch: number;
  readonly bitstreamBytes: number;
  /** Of the result topics, a frame, in transactions of so many. */
  readonly resultBytes: Readonly<Partial<Record<Task, number>>>;
  readonly framesPerTransaction: number;
  readonly transactionBytes: number;
}

/** Frames wait on the topic; a consumer in a process of its own works them off. */
export async function measureConsumer(
  bench: Bench,
  one: ConsumerCase,
  frames: BundleFrames,
  { prefix, threads }: { readonly prefix: string; readonly threads: number },
): Promise<ConsumerMeasured> {
  const { brokers } = bench;
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix, one.partitionCount);
  const writer = await FrameWriter.open(broker, {
    topic: topics.frames.name,
    cameras: evenCameras(one.partitionCount, one.camerasPerPartition),
    frames,
    recordsPerSend: RECORDS_PER_SEND,
  });
  await writer.write(one.frames);
  await broker.close();
  const bytesBefore = topicBytes(bench.brokerDirectory);
  const settings: PlanConsumerSettings = {
    ...{ brokers, prefix, threads },
    bundleDirectory: frames.bundle.directory,
    partitionCount: one.partitionCount,
    heads: one.heads,
    engine: one.engine === 'stub' ? { kind: 'sleep', msPerFrame: 0 } : undefined,
    batchFramesMax: batchFramesMax(one),
    warmFrames: Math.round(WARM_SHARE * one.frames),
    fullFrames: Math.round(FULL_SHARE * one.frames),
    frames: one.frames,
  };
  const consumer = new BenchChild(PROGRAM, settings);
  try {
    await consumer.ask('start');
    const warm = await consumer.ask<PlanConsumerFigures>('warm');
    const brokerBefore = processorUs(bench.brokerPid);
    const full = await consumer.ask<PlanConsumerFigures>('full');
    const brokerFull = processorUs(bench.brokerPid);
    const done = await consumer.ask<PlanConsumerFigures>('done');
    const brokerDone = processorUs(bench.brokerPid);
    await systemClock.sleep(IDLE_SECONDS * 1000);
    const idle = await consumer.ask<PlanConsumerFigures>('look');
    const brokerIdle = processorUs(bench.brokerPid);
    await consumer.ask('drain');
    const bytesAfter = topicBytes(bench.brokerDirectory);
    const grown = (topic: string) => (bytesAfter.get(topic) ?? 0) - (bytesBefore.get(topic) ?? 0);
    const transactions = done.counts.transactions ?? 0;
    const sends = Math.ceil(one.frames / RECORDS_PER_SEND);
    return {
      ...ratesOf(warm, full, one.heads),
      residentMib: full.residentMib,
      engineResidentMib: full.engineResidentMib,
      brokerUs: (brokerFull - brokerBefore) / (full.committedMs.length - warm.committedMs.length),
      brokerIdleUs: (brokerIdle - brokerDone) / IDLE_SECONDS,
      mainIdleUs: (idle.cost.threadUs - done.cost.threadUs) / IDLE_SECONDS,
      allIdleUs: (idle.cost.processUs - done.cost.processUs) / IDLE_SECONDS,
      frameBytes: (bytesAfter.get(topics.frames.name) ?? 0) / one.frames,
      recordsPerBatch: one.frames / (sends * one.partitionCount),
      bitstreamBytes: meanBytes(frames.bitstreams),
      resultBytes: ofHeads(one.heads, (head) => grown(topics.results[head].name) / one.frames),
      framesPerTransaction: one.frames / transactions,
      transactionBytes: grown(OWN_TOPICS) / transactions,
    };
  } finally {
    await consumer.end();
  }
}

/** All but the real one stand for a GPU, which has larger batches. */
export function batchFramesMax({ engine }: ConsumerCase): number {
  return engine === 'real' ? LIMITS.batchFramesCpuMax : LIMITS.batchFramesMax;
}

function ratesOf(warm: PlanConsumerFigures, full: PlanConsumerFigures, heads: readonly Task[]) {
  const frames = full.committedMs.length - warm.committedMs.length;
  const cost = costOfFrame(warm.cost, full.cost, frames);
  const grown = (name: string) => (full.counts[name] ?? 0) - (warm.counts[name] ?? 0);
  return {
    framesPerSecond: rateWithin(
      full.committedMs,
      warm.committedMs.length / full.committedMs.length,
      1,
    ),
    mainUs: cost.threadUs,
    allUs: cost.processUs,
    engineUs: (full.engineUs - warm.engineUs) / frames,
    transactionsPerFrame: grown('transactions') / frames,
    commitMs: grown('transaction-ms') / grown('transactions'),
    decodeUs: (grown('decode-ms') * 1000) / frames,
    bodyUs: (grown('body-ms') * 1000) / frames,
    headUs: ofHeads(heads, (head) => (grown(`head-ms-${head}`) * 1000) / frames),
  };
}

function ofHeads(heads: readonly Task[], value: (head: Task) => number) {
  return Object.fromEntries(heads.map((head) => [head, value(head)]));
}

export function meanBytes(bitstreams: readonly Uint8Array[]): number {
  return bitstreams.reduce((sum, { length }) => sum + length, 0) / bitstreams.length;
}
