import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeResult } from '#schemas/result.ts';
import { backfillTopics, type TopicTable } from '#schemas/topics.ts';
import { storeHead } from '#test/fixtures/added-head.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { spawnJobWorker } from '#test/fixtures/job-worker-child.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { startTopicStack } from '#test/fixtures/topic-stack.ts';
import { type TinyFrames, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { type Ages, LiveTraffic } from './live-traffic.ts';

export interface LookBackOptions {
  readonly frameCount: number;
  /** Of the backfill. */
  readonly framesPerSecondMax: number;
  readonly liveFramesPerSecond: number;
  /** Of live traffic alone. */
  readonly seconds: number;
}

export interface LookBackReport extends LookBackOptions {
  readonly backfillSeconds: number;
  /** How often the worker was lost, as the job tells. */
  readonly timesLost: number;
  /** Results of the stored frames, and what is wrong with them. */
  readonly results: number;
  readonly missing: number;
  readonly repeated: number;
  /** That do not say that the new head made them. */
  readonly ofOtherHeads: number;
  readonly before: Ages;
  readonly during: Ages;
  readonly after: Ages;
  /** Of the p95 while the backfill ran to that without it, the mean of before and after. */
  readonly p95Ratio: number;
  /** Live frames without exactly one result. */
  readonly liveFaults: number;
  readonly isFine: boolean;
}

const PREFIX = 'look-back';
const PARTITIONS = 4;
const STORED_CAMERAS = ['gate', 'yard', 'hall', 'roof'];
const FRAMES_PER_SEND = 400;
/** When the worker is killed, as a share of the job. */
const KILLED_AT = [0.25, 0.6];
const P95_RATIO_MAX = 1.1;
/** Until all processes are warm, and after the last result. */
const SETTLE_MS = 5_000;
const NEW_HEAD = { task: 'detection', version: '2', spec: { scoreMin: 0.5 } } as const;

export async function runLookBack(
  options: LookBackOptions,
  say: (line: string) => void,
): Promise<LookBackReport> {
  const heads = mkdtempSync(join(tmpdir(), 'halfsight-heads-'));
  const table = { prefix: PREFIX, partitionCount: PARTITIONS };
  const { stack, topics, broker, stop } = await startTopicStack(table);
  const { brokers } = stack;
  const redisUrl = defined(stack.redisUrl, 'the URL of Redis');
  const tiny = await tinyFrames();
  const consumer = spawnInference(brokers, PREFIX);
  const place = { brokers, redisUrl, prefix: PREFIX };
  const startWorker = () => spawnJobWorker(place, { HALFSIGHT_HEADS_DIRECTORY: heads });
  const redis = plainRedis(redisUrl);
  const queue = new JobQueue({ redis, prefix: PREFIX, kinds: KINDS, clock: systemClock });
  const live = new LiveTraffic(broker, topics, tiny);
  let worker: ReturnType<typeof startWorker> | undefined;
  try {
    const stored = await store(broker, topics, tiny, options.frameCount);
    await storeHead(heads, NEW_HEAD);
    await untilAnalysed(broker, topics);
    say(`${stored.length} frames are stored, and the live consumer has answered them`);
    await live.start(options.liveFramesPerSecond);
    await systemClock.sleep(SETTLE_MS);
    live.cut();
    await systemClock.sleep(options.seconds * 1_000);
    const before = live.cut();
    say(`live alone: ${JSON.stringify(before)}`);

    const startMs = systemClock.monotonicMs();
    const order = { heads: ['detection-2'], cameras: STORED_CAMERAS };
    await queue.add('backfill', { ...order, rate: options.framesPerSecondMax }, 'night');
    worker = startWorker();
    for (const share of KILLED_AT) {
      await untilShare(queue, share);
      await worker.kill();
      say(`killed the worker at ${share}`);
      worker = startWorker();
    }
    await untilShare(queue, 1);
    const backfillSeconds = (systemClock.monotonicMs() - startMs) / 1000;
    const during = live.cut();
    say(`with the backfill: ${JSON.stringify(during)}`);
    const job = defined(await queue.get('night'), 'the job');
    await worker.stop();
    await systemClock.sleep(SETTLE_MS);
    live.cut();
    await systemClock.sleep(options.seconds * 1_000);
    const after = live.cut();
    const liveFaults = await live.stop();
    const found = await findings(broker, topics, new Set(stored));
    const p95Ratio = (2 * during.p95Ms) / (before.p95Ms + after.p95Ms);
    return {
      ...options,
      backfillSeconds: Math.round(backfillSeconds),
      timesLost: job.timesLost,
      ...found,
      ...{ before, during, after, p95Ratio: Number(p95Ratio.toFixed(3)) },
      liveFaults: liveFaults.length,
      isFine:
        found.missing + found.repeated + found.ofOtherHeads + liveFaults.length === 0 &&
        p95Ratio < P95_RATIO_MAX,
    };
  } finally {
    await worker?.kill();
    await live.stop();
    await consumer.kill();
    await queue.close();
    await stop();
    rmSync(heads, { recursive: true, force: true });
  }
}

/** Writes frames of all cameras, and tells their ids. */
async function store(
  broker: Broker,
  { frames }: TopicTable,
  tiny: TinyFrames,
  count: number,
): Promise<string[]> {
  const producer = await broker.openProducer();
  const ids: string[] = [];
  while (ids.length < count) {
    const size = Math.min(FRAMES_PER_SEND, count - ids.length);
    const records = Array.from({ length: size }, (_, index) => {
      const number = ids.length + index;
      const cameraId = STORED_CAMERAS[number % STORED_CAMERAS.length] ?? '';
      const sequence = Math.floor(number / STORED_CAMERAS.length);
      const frame = tiny.frame(sequence, { cameraId });
      const headers = { 'frame-id': frameId(frame) };
      return { topic: frames.name, key: cameraId, value: tiny.record(sequence, frame), headers };
    });
    await producer.send(records);
    ids.push(...records.map(({ headers }) => headers['frame-id']));
  }
  await producer.close();
  return ids;
}

/** Until the live consumer has committed every frame that is stored. */
async function untilAnalysed(broker: Broker, { frames }: TopicTable): Promise<void> {
  for (;;) {
    const positions = await broker.committedOffsets(`${PREFIX}-inference`, frames.name);
    const ends = await broker.offsets(frames.name);
    if (ends.every(({ partition, high }) => (positions.get(partition) ?? 0) >= high)) return;
    await systemClock.sleep(500);
  }
}

/** 1: the job is done. */
async function untilShare(queue: JobQueue, share: number): Promise<void> {
  for (;;) {
    const job = defined(await queue.get('night'), 'the job');
    if (job.status === 'done') return;
    if (job.status === 'failed') throw new Error(`the job failed: ${JSON.stringify(job)}`);
    const { framesDone = 0, framesTotalEstimate = 0 } = job.news?.figures ?? {};
    const total = Number(framesTotalEstimate);
    if (share < 1 && total > 0 && Number(framesDone) > share * total) return;
    await systemClock.sleep(200);
  }
}

async function findings(broker: Broker, topics: TopicTable, stored: ReadonlySet<string>) {
  const { detection } = backfillTopics(topics).results;
  const groupId = `${PREFIX}-found`;
  const records = await readTopic(broker, detection.name, {
    ...{ groupId, count: stored.size, settleMs: SETTLE_MS },
  });
  const framing = singleObjectFraming();
  const counts = new Map<string, number>();
  let ofOtherHeads = 0;
  for (const { value } of records) {
    const result = decodeResult('detection', value, framing);
    const id = frameId(result);
    counts.set(id, (counts.get(id) ?? 0) + 1);
    const { headVersion, headDigest } = result.lineage;
    if (headVersion !== NEW_HEAD.version || headDigest === '') ofOtherHeads += 1;
  }
  return {
    results: records.length,
    missing: [...stored].filter((id) => !counts.has(id)).length,
    repeated: [...counts.values()].filter((count) => count > 1).length,
    ofOtherHeads,
  };
}
