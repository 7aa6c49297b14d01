import { describe, expect, it } from 'vitest';
import type { CameraBook } from '#producers/camera/camera-book.ts';
import { Cameras } from '#producers/camera/cameras.ts';
import { Encoder } from '#producers/camera/encode.ts';
import { FleetCameras } from '#producers/camera/fleet-cameras.ts';
import { Sampler } from '#producers/camera/frame-trace.ts';
import type { Source } from '#producers/camera/image.ts';
import { beginJourney } from '#producers/camera/journey.ts';
import { Pipeline } from '#producers/camera/pipeline.ts';
import { Publisher } from '#producers/camera/publish.ts';
import { readRegisteredCamera } from '#producers/camera/registered-camera.ts';
import type { SourceOptions, SourceSpec } from '#producers/camera/sources/create.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { Telemetry } from '#producers/camera/telemetry.ts';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { type FrameIdentity, parseFrameId } from '#schemas/frame.ts';
import { wanted } from '#test/contract/registry.ts';
import { Host } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { IMAGE_FACTS } from './journeys.ts';

const ENCODE_MS = 40;
const TERM_MS = LIMITS.fleetLeaseMs - LIMITS.fleetClockAllowanceMs;

interface Sent extends FrameIdentity {
  readonly atMs: number;
}

/** The camera agent in a fleet on virtual time, without pictures, models or a broker. */
class AgentOnTrial {
  readonly time = new VirtualClock();
  readonly link: RegistryLink;
  /** The operator's. */
  readonly registry: Registry;
  readonly books = new Map<string, CameraBook>();
  readonly ratePoints = new Map<string, number>();
  readonly sent: Sent[] = [];
  readonly statuses: CameraStatus[] = [];
  readonly opened: SourceSpec[] = [];
  readonly cameras: Cameras;
  readonly telemetry: Telemetry;
  readonly encoder: Encoder;
  readonly sampler = new Sampler(0.5, 1);
  readonly fleet: FleetAgent;
  readonly pipeline: Pipeline;
  brokerIsAway = false;

  constructor() {
    const server = new RegistryServer(this.time);
    const host = new Host('agent', this.time);
    this.link = new RegistryLink(server, this.time, seededRandom(1));
    this.registry = new RegistryLink(server, this.time, seededRandom(2)).open(host);
    const { books, ratePoints, sampler } = this;
    const [clock, logger, random] = [host.clock, silentLogger, seededRandom(3)];
    const ownsNow = (cameraId: string) => this.fleet.ownsNow(cameraId);
    const publisher = new Publisher({
      producer: { send: (records) => this.#send(records) },
      spool: undefined,
      ...{ ownsNow, clock, logger, random },
    });
    this.telemetry = new Telemetry(books, {
      memory: () => publisher.report(),
      spool: () => undefined,
    });
    const encoder = this.#openEncoder();
    this.encoder = encoder;
    const status = new StatusReporter({
      agentId: 'north',
      books,
      send: async (statuses) => {
        await this.#answer();
        this.statuses.push(...statuses);
      },
      onOver: (book) => {
        this.telemetry.forget(book);
        sampler.forget(book.cameraId);
        ratePoints.delete(book.cameraId);
      },
      clock,
      logger,
    });
    this.cameras = new Cameras({
      settings: [],
      books,
      input: { width: 64, height: 64, fill: [0, 0, 0] },
      onStateChanged: () => status.reportNow(),
      epochNow: () => this.fleet.epochNow(),
      ...{ clock, logger, seed: 4 },
      openSource: (spec, options) => this.#source(spec, options),
    });
    const reader = {
      ...{ folder: '/', lookup: () => undefined, ratePoint: undefined },
      offered: { defaultRatePoint: 0, ratePoints: [0, 1].map(rateOf) },
    };
    this.fleet = new FleetAgent({
      profile: { agentId: 'north', camerasMax: 20, framesPerSecondMax: 1_000 },
      registry: this.link.open(host),
      hooks: new FleetCameras({
        ...{ books, ratePoints, cameras: this.cameras, stages: [encoder, publisher] },
        ...{ status, telemetry: this.telemetry, clock },
        read: (camera) => readRegisteredCamera(camera, reader),
      }),
      ...{ clock, logger },
    });
    const begin = { books, ratePoints, ownsNow, sampler, tracer: noTracer, topic: 'frames' };
    this.pipeline = new Pipeline({
      capture: this.cameras,
      begin: (frame) => beginJourney(begin, frame),
      encode: encoder,
      wrap: ({ identity }, { bitstream: value }) => {
        const { cameraId: key, epoch, sequence } = identity;
        const headers = { 'frame-id': `${key}-${epoch}-${sequence}` };
        return { topic: 'frames', key, value, headers };
      },
      publish: publisher,
      status,
    });
  }

  async start(): Promise<void> {
    await this.pipeline.start();
    this.fleet.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.fleet.stop(), this.pipeline.drain()]);
  }

  seconds(count: number): Promise<void> {
    return this.time.sleep(count * 1_000);
  }

  /** The final counts of all epochs that were told. */
  finals(): CameraStatus[] {
    const byEpoch = new Map<string, CameraStatus>();
    for (const status of this.statuses) {
      if (status.final) byEpoch.set(`${status.cameraId}-${status.epoch}`, status);
    }
    return [...byEpoch.values()];
  }

  #openEncoder(): Encoder {
    const encode = async () => {
      await this.time.sleep(ENCODE_MS);
      return { bitstream: new Uint8Array(100), encodeTimeUs: 1, encodeDurationUs: 1_000 };
    };
    return new Encoder({
      workerCount: 2,
      openWorker: async () => ({ encode, close: async () => undefined }),
      measure: (cameraId, { encodeDurationUs, bitstream }) =>
        this.telemetry.encoded(cameraId, encodeDurationUs, bitstream.length),
      clock: this.time,
      logger: silentLogger,
    });
  }

  #source(spec: SourceSpec, { framesPerSecond }: SourceOptions): Source {
    this.opened.push(spec);
    const { time } = this;
    return {
      ...{ kind: 'synthetic', description: 'fake', isFinite: false },
      async *open(signal) {
        while (true) {
          await time.sleep(1_000 / framesPerSecond, signal);
          if (signal.aborted) return;
          yield { ...IMAGE_FACTS, captureTimeUs: time.nowUs(), pixels: new Uint8Array(3) };
        }
      },
    };
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    await this.#answer();
    for (const { headers } of records) {
      const identity = parseFrameId(String(headers['frame-id']));
      if (identity) this.sent.push({ ...identity, atMs: this.time.monotonicMs() });
    }
  }

  async #answer(): Promise<void> {
    await this.time.sleep(5);
    if (this.brokerIsAway) throw new HalfsightError('publish-failed', 'the broker is away.');
  }
}

function rateOf(index: number) {
  return { index, name: `rate-${index}` };
}

async function run(story: (agent: AgentOnTrial) => Promise<void>): Promise<void> {
  const agent = new AgentOnTrial();
  await agent.time.drive(agent.start().then(() => story(agent)));
}

/** Each epoch's books as they were told, against what the broker has. */
function expectBalanced({ sent }: AgentOnTrial, finals: readonly CameraStatus[]): void {
  expect(finals.length).toBeGreaterThan(0);
  for (const { cameraId, epoch, captured, published, dropped } of finals) {
    const droppedCount = Object.values(dropped).reduce((sum, count) => sum + count, 0);
    expect(captured).toBe(published + droppedCount);
    const own = sent.filter((one) => one.cameraId === cameraId && one.epoch === epoch);
    expect(own).toHaveLength(published);
  }
}

describe('the cameras of an agent in a fleet', () => {
  it('come, change and go while it runs', () =>
    run(async (agent) => {
      const { registry, statuses, sent } = agent;
      await registry.put(wanted('gate'));
      await agent.seconds(3);
      expect(statuses.at(-1)).toMatchObject({ cameraId: 'gate', state: 'online' });
      const [first] = sent;

      await registry.put(wanted('gate', { labels: { site: 'north' }, ratePoint: 1 }));
      await agent.seconds(3);
      expect(agent.opened, 'nothing that its source has to do with').toHaveLength(1);
      expect(agent.ratePoints.get('gate')).toBe(1);

      await registry.put(wanted('gate', { framesPerSecond: 10 }));
      await agent.seconds(3);
      expect(agent.opened).toHaveLength(2);
      expect(sent.at(-1)?.epoch).toBeGreaterThan(first?.epoch ?? Number.POSITIVE_INFINITY);

      await registry.remove('gate');
      await agent.seconds(3);
      const finals = agent.finals();
      expect(finals).toHaveLength(2);
      expect(finals[1]).toMatchObject({ state: 'offline', detail: 'removed from the registry' });
      expectBalanced(agent, finals);
      expect(agent.books.size).toBe(0);
      expect(agent.telemetry.snapshot().total.captured).toBe(
        finals.reduce((sum, { captured }) => sum + captured, 0),
      );
    }));

  it('are offline, and say why, where they cannot be run as they are wanted', () =>
    run(async (agent) => {
      const { registry, statuses } = agent;
      await registry.put(wanted('gate'));
      await agent.seconds(3);
      await registry.put(wanted('gate', { source: 'synthetic:stret' }));
      await agent.seconds(7);
      const problem = 'source: names no scene: "stret"; did you mean "street"?';
      expect(statuses.at(-1)).toMatchObject({ state: 'offline', detail: problem, final: true });
      const [entry] = (await registry.list()).cameras;
      expect(entry?.live).toMatchObject({ state: 'offline', detail: problem, framesPerSecond: 0 });
      await registry.put(wanted('gate', { source: 'synthetic:street' }));
      await agent.seconds(7);
      expect(statuses.at(-1)).toMatchObject({ state: 'online', detail: '' });
      const [online] = (await registry.list()).cameras;
      expect(online?.live).toMatchObject({ state: 'online', bytesPerFrame: 100 });
      expect(online?.live?.framesPerSecond).toBeCloseTo(5, 0);
    }));

  it('publish nothing after the lease has ended, and count what they captured', () =>
    run(async (agent) => {
      await agent.registry.put(wanted('gate'));
      await agent.seconds(3);
      agent.link.state = 'cut';
      const cutMs = agent.time.monotonicMs();
      await agent.seconds(12);
      const lastMs = agent.sent.at(-1)?.atMs ?? 0;
      expect(lastMs).toBeGreaterThan(cutMs + TERM_MS - 2_000);
      expect(lastMs).toBeLessThan(cutMs + TERM_MS + ENCODE_MS);
      const [final] = agent.finals();
      expect(final?.detail).toMatch(/^the agent lost the registry/);
      expectBalanced(agent, agent.finals());
      expect(agent.books.size).toBe(0);

      agent.link.state = 'up';
      await agent.seconds(15);
      expect(agent.sent.at(-1)?.epoch).toBeGreaterThan(final?.epoch ?? Number.POSITIVE_INFINITY);
    }));

  it('drop what waits for the broker when the lease ends', () =>
    run(async (agent) => {
      await agent.registry.put(wanted('gate'));
      await agent.seconds(3);
      agent.brokerIsAway = true;
      agent.link.state = 'cut';
      await agent.seconds(14);
      agent.brokerIsAway = false;
      await agent.seconds(5);
      const [final] = agent.finals();
      expect(final?.dropped['not-owner']).toBeGreaterThan(20);
      expectBalanced(agent, agent.finals());
    }));

  it('are handed on with nothing lost when the agent stops, and the broker has it all', () =>
    run(async (agent) => {
      for (const id of ['gate', 'yard']) await agent.registry.put(wanted(id));
      await agent.seconds(3);
      const startMs = agent.time.monotonicMs();
      await agent.stop();
      expect(agent.time.monotonicMs() - startMs).toBeLessThan(2_000);
      const finals = agent.finals();
      expect(finals.map(({ dropped }) => dropped)).toEqual([{}, {}]);
      expectBalanced(agent, finals);
      const { agents, cameras } = await agent.registry.list();
      expect(agents).toEqual([]);
      expect(cameras.map(({ placement }) => placement.state)).toEqual(['unplaced', 'unplaced']);
    }));

  it('do not hold up a stop for longer than there is time, whoever is away', () =>
    run(async (agent) => {
      await agent.registry.put(wanted('gate'));
      await agent.seconds(3);
      agent.brokerIsAway = true;
      agent.link.state = 'cut';
      const startMs = agent.time.monotonicMs();
      await agent.stop();
      const tookMs = agent.time.monotonicMs() - startMs;
      expect(tookMs).toBeLessThan(LIMITS.shutdownTimeoutMs - LIMITS.closeTimeoutMs);
      expect(agent.telemetry.snapshot().total.inFlight).toBe(0);
    }));

  it('leave nothing behind, a thousand times', () =>
    run(async (agent) => {
      const { registry, books, ratePoints, cameras, telemetry } = agent;
      const ids = Array.from({ length: 10 }, (_, index) => `cam-${index}`);
      for (let round = 0; round < 100; round++) {
        for (const id of ids) await registry.put(wanted(`${id}-${round}`, { framesPerSecond: 4 }));
        await agent.seconds(2.5);
        for (const id of ids) await registry.remove(`${id}-${round}`);
        await agent.seconds(2.5);
      }
      await agent.seconds(3);
      expect(agent.opened).toHaveLength(1_000);
      expect(agent.finals()).toHaveLength(1_000);
      const { total, cameras: shown } = telemetry.snapshot();
      expect(total).toMatchObject({ captured: agent.sent.length, dropped: {} });
      expect({
        books: books.size,
        ratePoints: ratePoints.size,
        runs: cameras.size,
        shown: shown.length,
        statistics: telemetry.size,
        encoding: agent.encoder.size,
        sampled: agent.sampler.size,
      }).toEqual({
        ...{ books: 0, ratePoints: 0, runs: 0, shown: 0, statistics: 0, encoding: 0, sampled: 0 },
      });
    }));
});
