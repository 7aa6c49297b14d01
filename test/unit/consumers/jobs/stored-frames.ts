import { Telemetry } from '#consumers/inference/telemetry.ts';
import {
  type BackfillOptions,
  type BackfillSummary,
  runBackfill,
} from '#consumers/jobs/backfill.ts';
import { allSpecs } from '#infra/topics/create.ts';
import type { IncomingRecord, OutgoingRecord } from '#runtime/broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import { decodeResult, type Task } from '#schemas/result.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { FakeEngine } from '#test/simulation/engine.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { type TinyFrames, tinyFrames } from '../inference/tiny-frames.ts';

export const CAMERAS = ['gate', 'yard', 'north-1', 'roof'];
const NO_TROUBLE = { diePermille: 0, hangPermille: 0, failPermille: 0 };

let tiny: TinyFrames | undefined;

export interface Worker {
  readonly host: Host;
  readonly telemetry: Telemetry;
  readonly summary: Promise<BackfillSummary>;
  stop(): void;
}

/** A cluster in memory with frames on it, and backfills to run over them in virtual time. */
export async function storedFrames(seed = 1) {
  tiny ??= await tinyFrames();
  const { bundle, framing, record, foreignBitstream } = tiny;
  const random = seededRandom(seed);
  const time = new VirtualClock();
  const cluster = new Cluster(time, random.fork('cluster'));
  const topics = topicTable({ prefix: 'jobs', partitionCount: 3 });
  for (const spec of allSpecs(topics)) cluster.ensureTopic(spec);
  const camera = connectTo(cluster, new Host('camera', time), random.fork('camera'));
  const written = backfillTopics(topics);

  const outgoing = (cameraId: string, sequence: number, headers = {}): OutgoingRecord => ({
    topic: topics.frames.name,
    key: cameraId,
    value: record(sequence, { cameraId }),
    headers,
  });
  const committed = (topic: string): IncomingRecord[] =>
    cluster
      .partitions(topic)
      .flatMap((log) => [...log.read(0, Number.POSITIVE_INFINITY, true).records]);

  return {
    ...{ time, cluster, topics, bundle, framing, random, outgoing, record, foreignBitstream },
    committed,
    nowMs: () => time.nowUs() / 1000,
    /** Frames `from` to `to` of each camera, 100 ms apart. */
    async write(from: number, to: number): Promise<void> {
      const producer = await camera.openProducer();
      for (let sequence = from; sequence < to; sequence++) {
        await producer.send(CAMERAS.map((cameraId) => outgoing(cameraId, sequence)));
        await time.sleep(100);
      }
      await producer.close();
    },
    async send(records: readonly OutgoingRecord[]): Promise<void> {
      const producer = await camera.openProducer();
      await producer.send(records);
      await producer.close();
    },
    /** As a redrive does: in a transaction, so that a marker comes last. */
    async redrive(cameraId: string, sequence: number): Promise<void> {
      const place = { groupId: 'redrive', topic: topics.deadLetters.name, partition: 0 };
      const transactor = await camera.openTransactor(place);
      await transactor.acquire();
      const headers = { 'redriven-from': '0:1 1' };
      await transactor.commit([outgoing(cameraId, sequence, headers)], 1);
      await transactor.acquire();
      await transactor.close();
    },
    start(order: Partial<BackfillOptions> = {}): Worker {
      const host = new Host('worker', time);
      const ofHost = random.fork(`worker ${time.nowUs()}`);
      const stopping = new AbortController();
      const telemetry = new Telemetry();
      const engine = { bundleDirectory: '', heads: [], provider: 'cpu', threads: 1 } as const;
      const summary = runBackfill({
        ...{ id: 'night', bundle, framing, topics, telemetry, tracer: noTracer },
        settings: { engine, batchFramesMax: 2, commitIntervalMs: 200 },
        broker: connectTo(cluster, host, ofHost),
        clock: host.clock,
        logger: silentLogger,
        spawnEngine: () => new FakeEngine(host, ofHost.fork('engine'), NO_TROUBLE, bundle),
        stopping: stopping.signal,
        ...order,
      });
      // Where it is to fail, a test looks later.
      summary.catch(() => undefined);
      return { host, telemetry, summary, stop: () => stopping.abort() };
    },
    /** Frame ids of a task's results, in the order of each camera. */
    found(task: Task): string[] {
      return committed(written.results[task].name).map(({ value }) =>
        frameId(decodeResult(task, value, framing)),
      );
    },
    backfillDeadLetters: () => committed(written.deadLetters.name),
    backfillResults: (task: Task) => committed(written.results[task].name),
  };
}

export type StoredFrames = Awaited<ReturnType<typeof storedFrames>>;
