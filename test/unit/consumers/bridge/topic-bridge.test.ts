import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BridgeTelemetry } from '#consumers/bridge/telemetry.ts';
import { TopicBridge } from '#consumers/bridge/topic-bridge.ts';
import { NV_FRAME } from '#consumers/export/formats/nv-frame.ts';
import { allSpecs } from '#infra/topics/create.ts';
import type { IncomingRecord, OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { parseFrameId } from '#schemas/frame.ts';
import { type Framing, singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, type ResultEnvelope } from '#schemas/result.ts';
import { bridgeGroups, topicTable } from '#schemas/topics.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { detection } from '../subscriber/results.ts';

const FRAMING = singleObjectFraming();
const CAMERAS = ['gate', 'yard', 'north-1', 'roof'];
const TO = 'mdx-raw';
const TRACEPARENT = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;

/** A cluster in memory with results on it, and bridges in virtual time. */
function scene(seed = 1) {
  const random = seededRandom(seed);
  const time = new VirtualClock();
  const cluster = new Cluster(time, random.fork('cluster'));
  const topics = topicTable({ prefix: 'shop', partitionCount: 3 });
  for (const spec of allSpecs(topics)) cluster.ensureTopic(spec);
  const own = { partitionCount: 2, replicationFactor: 1, settings: {} };
  cluster.ensureTopic({ name: TO, ...own });
  const brain = connectTo(cluster, new Host('brain', time), random.fork('brain'));
  const { name: topic } = topics.results.detection;
  const record = (changes: Partial<ResultEnvelope>, headers = {}): OutgoingRecord => {
    const result = detection(changes.status === undefined ? [['person', 0.5]] : [], changes);
    return { topic, key: result.cameraId, value: encodeResult(result, FRAMING), headers };
  };
  let position = 0;
  return {
    ...{ random, time, topics, topic, record, cluster },
    /** Once, in one transaction, as consumers do. */
    async write(records: readonly OutgoingRecord[]): Promise<void> {
      const place = { groupId: 'brain', topic: topics.frames.name, partition: 0 };
      const transactor = await brain.openTransactor(place);
      position++;
      const attempt = async () => {
        if ((await transactor.acquire()) !== position) await transactor.commit(records, position);
        return true;
      };
      // What fails here is the network: the position tells whether it was committed all the same.
      while (!(await attempt().catch(() => false))) await time.sleep(50);
      await transactor.close();
    },
    start(from: 'earliest' | 'latest' = 'earliest', to = TO, framing = FRAMING) {
      const host = new Host('bridge', time);
      const order = { format: NV_FRAME, task: 'detection', to, from } as const;
      const telemetry = new BridgeTelemetry(order);
      const stopping = new AbortController();
      const failures: unknown[] = [];
      const bridge = new TopicBridge({
        ...{ ...order, topics, framing, telemetry },
        ...{ tracer: noTracer, clock: host.clock, logger: silentLogger },
        broker: connectTo(cluster, host, random.fork(`bridge ${time.nowUs()}`)),
        ...{ stopping: stopping.signal, onFailed: (error) => void failures.push(error) },
      });
      bridge.start().catch((error: unknown) => void failures.push(error));
      return { host, telemetry, bridge, failures };
    },
    written: () =>
      cluster
        .partitions(TO)
        .flatMap((log) => [...log.read(0, Number.POSITIVE_INFINITY, true).records]),
  };
}

type Scene = ReturnType<typeof scene>;

const frameIn = ({ value }: IncomingRecord) => JSON.parse(Buffer.from(value ?? []).toString());

/** Of a camera's frames, in the order in which a committed reader sees them. */
function sequencesOf({ written }: Scene, camera: string): (number | undefined)[] {
  const frames = written().filter(({ key }) => key === camera);
  return frames.map((record) => parseFrameId(frameIn(record).id)?.sequence);
}

function lagIn(telemetry: BridgeTelemetry, unit: string, labels: object): number | undefined {
  const name = `halfsight_bridge_lag_${unit}`;
  const family = telemetry.families().find((one) => one.name === name);
  const samples = family === undefined || family.type === 'histogram' ? [] : family.samples;
  return samples.find((sample) => isDeepStrictEqual(sample.labels, labels))?.value;
}

describe('a bridge to a topic', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'killed, frozen, cut off and joined by others (seed %i): each frame once, in order',
    async (seed) => {
      const stage = scene(seed);
      const { time, random, write, record, written, cluster } = stage;
      const count = 80;
      cluster.network.faultPermille = 30;
      const writing = (async () => {
        for (let sequence = 0; sequence < count; sequence++) {
          await write(CAMERAS.map((cameraId) => record({ cameraId, sequence })));
          await time.sleep(200);
        }
      })();
      const bridges: ReturnType<typeof stage.start>[] = [];
      const troubles = (async () => {
        while (time.monotonicMs() < count * 150) {
          const started = stage.start();
          bridges.push(started);
          await time.sleep(random.integer(5_000));
          const one = bridges[random.integer(bridges.length)];
          if (random.integer(3) === 0) {
            one?.host.freeze();
            await time.sleep(random.integer(15_000));
            one?.host.thaw();
          } else one?.host.kill();
        }
      })();
      await time.drive(Promise.all([writing, troubles]));
      cluster.network.faultPermille = 0;
      const last = stage.start();
      const isComplete = async () => {
        const endMs = time.monotonicMs() + 120_000;
        while (written().length < count * CAMERAS.length && time.monotonicMs() < endMs) {
          await time.sleep(500);
        }
        await time.sleep(5_000);
      };
      await time.drive(isComplete());
      const all = Array.from({ length: count }, (_, sequence) => sequence);
      for (const camera of CAMERAS) expect(sequencesOf(stage, camera), camera).toEqual(all);
      expect(last.failures).toEqual([]);
    },
  );

  it('counts what the format cannot say, and hands on traces', async () => {
    const stage = scene();
    const { time, write, record, topic, start, written } = stage;
    await time.drive(
      write([
        record({ sequence: 1 }, { traceparent: TRACEPARENT }),
        record({ sequence: 2, status: 'shed' }),
        record({ sequence: 3, status: 'unwanted' }),
        { ...record({ sequence: 4 }), value: Buffer.from('nonsense') },
        record({ sequence: 5, status: 'ok' }),
        { topic, key: 'gate', value: new Uint8Array(0), headers: {} },
      ]),
    );
    const { telemetry, bridge } = start();
    await time.drive(time.sleep(20_000));
    expect(sequencesOf(stage, 'gate')).toEqual([1, 5]);
    const [first, empty] = written().map((record) => ({ ...record, frame: frameIn(record) }));
    expect(Buffer.from(first?.headers.traceparent ?? []).toString()).toBe(TRACEPARENT);
    expect(Buffer.from(first?.headers['frame-id'] ?? []).toString()).toBe('gate-1700000000000-1');
    expect(empty?.frame).toMatchObject({ objects: [] });
    expect(empty?.headers.traceparent).toBeUndefined();
    expect(telemetry.snapshot()).toMatchObject({
      ...{ 'results-read': 6, 'frames-written': 2, 'dropped-undecodable': 2 },
      ...{ 'dropped-shed': 1, 'dropped-unwanted': 1 },
    });
    expect(bridge.ready()).toEqual({ kafka: 'ok' });
  });

  it('leaves out the ages of frames that had been dead letters, and counts these', async () => {
    const { time, write, record, start } = scene();
    await time.drive(write([record({ sequence: 1 }), record({ sequence: 2, redrives: 1 })]));
    const { telemetry } = start();
    await time.drive(time.sleep(20_000));
    expect(telemetry.snapshot()).toMatchObject({ 'frames-written': 2, 'frames-redriven': 1 });
    const ages = telemetry.families().find(({ name }) => name.endsWith('_frame_age_seconds'));
    expect(ages).toMatchObject({ distributions: [{ count: 1 }] });
  });

  it('begins with what comes from now on, and not again after a restart', async () => {
    const stage = scene();
    const { time, write, record, start } = stage;
    await time.drive(write([record({ sequence: 1 })]));
    const first = start('latest');
    await time.drive(time.sleep(20_000));
    first.host.kill();
    await time.drive(write([record({ sequence: 2 })]));
    start('latest');
    await time.drive(time.sleep(30_000));
    expect(sequencesOf(stage, 'gate')).toEqual([2]);
  });

  it('says how many results Kafka deleted before they were read', async () => {
    const stage = scene();
    const { time, write, record, start, cluster, topic, topics } = stage;
    const first = start('latest');
    await time.drive(time.sleep(20_000));
    first.host.kill();
    await time.drive(write([1, 2, 3].map((sequence) => record({ sequence }))));
    const { partition } = cluster.partitionFor(topic, 'gate');
    const group = `${bridgeGroups(topics).detection}nv-frame-${TO}`;
    expect(cluster.positions.get(group, topic, partition)).toMatchObject({ offset: 0 });
    cluster.partition(topic, partition).deleteAll();
    await time.drive(write([record({ sequence: 4 })]));
    const { telemetry } = start();
    await time.drive(time.sleep(20_000));
    expect(telemetry.total('dropped-deleted-unread')).toBe(3);
    expect(sequencesOf(stage, 'gate')).toEqual([4]);
  });

  it('says how far behind it is while the schema registry is away, and is not later', async () => {
    const stage = scene();
    const { time, write, record, start, written, cluster, topic } = stage;
    let isAway = true;
    const framing: Framing = {
      ...FRAMING,
      async learn() {
        if (isAway) throw new HalfsightError('schema-registry-unavailable', 'away');
      },
    };
    const { telemetry } = start('earliest', TO, framing);
    await time.drive(time.sleep(20_000));
    await time.drive(write([1, 2, 3].map((sequence) => record({ sequence }))));
    await time.drive(time.sleep(60_000));
    const { partition } = cluster.partitionFor(topic, 'gate');
    const labels = { task: 'detection', format: 'nv-frame', to: TO, partition: `${partition}` };
    const lag = () => ['records', 'seconds'].map((unit) => lagIn(telemetry, unit, labels));
    // The marker of their transaction is the fourth.
    expect(lag()).toEqual([4, expect.closeTo(60, 0)]);
    isAway = false;
    await time.drive(time.sleep(20_000));
    expect(written().length).toBe(3);
    expect(lag()).toEqual([0, 0]);
  });

  it('ends where the topic is missing, and says what to do', async () => {
    const { time, start } = scene();
    const { bridge, failures } = start('latest', 'nowhere');
    await time.drive(time.sleep(1_000));
    expect(bridge.ready()).toEqual({ kafka: 'not in its group yet' });
    expect(failures).toEqual([
      expect.objectContaining({
        ...{ code: 'topic-missing', message: 'topic nowhere does not exist.' },
        advice: expect.stringContaining('Create it first'),
      }),
    ]);
  });
});
