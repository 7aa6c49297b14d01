import type { CameraBook } from '#producers/camera/camera-book.ts';
import { Cameras } from '#producers/camera/cameras.ts';
import { Encoder } from '#producers/camera/encode.ts';
import { FleetCameras } from '#producers/camera/fleet-cameras.ts';
import { Sampler } from '#producers/camera/frame-trace.ts';
import type { Source } from '#producers/camera/image.ts';
import { beginJourney } from '#producers/camera/journey.ts';
import { Pipeline } from '#producers/camera/pipeline.ts';
import { Publisher } from '#producers/camera/publish.ts';
import { LinkMonitor } from '#producers/camera/rate/link-monitor.ts';
import { RateControl } from '#producers/camera/rate/rate-control.ts';
import { readRegisteredCamera } from '#producers/camera/registered-camera.ts';
import type { SourceOptions, SourceSpec } from '#producers/camera/sources/create.ts';
import { Spool } from '#producers/camera/spool.ts';
import { SpoolStore } from '#producers/camera/spool-store.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { Telemetry } from '#producers/camera/telemetry.ts';
import { type WrapOptions, wrapFrame } from '#producers/camera/wrap.ts';
import { FleetAgent } from '#producers/fleet/fleet-agent.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { decodeFrame, type FrameIdentity, type FrameRecord } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { TASKS } from '#schemas/result.ts';
import { Host } from '#test/simulation/host.ts';
import { RegistryLink } from '#test/simulation/registry/registry-link.ts';
import { RegistryServer } from '#test/simulation/registry/registry-server.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';
import { IMAGE_FACTS } from './journeys.ts';

export const ENCODE_MS = 40;
const SEND_MS = 5;
const FRAMING = singleObjectFraming();
const RECORD: WrapOptions = {
  ...{ topic: 'frames', framing: FRAMING, input: { width: 416, height: 416 } },
  ...{ bundleName: 'tiny', bundleVersion: '1', bundleDigest: new Uint8Array(32) },
  logger: silentLogger,
};

export interface Sent extends FrameIdentity {
  readonly heads: FrameRecord['heads'];
  readonly atMs: number;
}

/** What agents share: time, a registry with an operator, and a broker. */
export class Site {
  readonly time = new VirtualClock();
  readonly server = new RegistryServer(this.time);
  readonly registry = new RegistryLink(this.server, this.time, seededRandom(2)).open(
    new Host('operator', this.time),
  );
  readonly sent: Sent[] = [];
  readonly statuses: CameraStatus[] = [];
  brokerIsAway = false;
  /** How often a camera drops out, of a thousand of its pictures. */
  sourceFailsPermille = 0;

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

  /** What is under way arrives, also from a process that is frozen meanwhile. */
  async send(host: Host, arrive: () => void): Promise<void> {
    if (!this.brokerIsAway) this.time.after(SEND_MS / 2, arrive);
    const isLost = this.brokerIsAway;
    await host.clock.sleep(SEND_MS);
    if (isLost) throw new HalfsightError('publish-failed', 'the broker is away.');
  }
}

/** A camera agent in a fleet on virtual time, without pictures or models. */
export class AgentOnTrial {
  readonly site: Site;
  readonly host: Host;
  readonly link: RegistryLink;
  readonly books = new Map<string, CameraBook>();
  readonly rate: RateControl;
  readonly opened: SourceSpec[] = [];
  readonly cameras: Cameras;
  readonly telemetry: Telemetry;
  readonly encoder: Encoder;
  readonly sampler = new Sampler(0.5, 1);
  readonly fleet: FleetAgent;
  readonly pipeline: Pipeline;
  readonly #store: SpoolStore | undefined;

  /** `directory`: of its spool; undefined: it has none. */
  constructor(site: Site, agentId: string, directory?: string) {
    this.site = site;
    this.host = new Host(agentId, site.time);
    this.link = new RegistryLink(site.server, site.time, seededRandom(1).fork(agentId));
    const { host, books, sampler } = this;
    const [clock, logger, random] = [host.clock, silentLogger, seededRandom(3).fork(agentId)];
    const ownsNow = (cameraId: string) => this.fleet.ownsNow(cameraId);
    const bytesMax = LIMITS.spoolBytesMin;
    this.#store = directory === undefined ? undefined : new SpoolStore(directory, bytesMax);
    const store = this.#store;
    const spool = store && new Spool({ store, bytesMax, books, topic: 'frames', clock, logger });
    const link = new LinkMonitor({ clock });
    const rate = new RateControl({
      ...{ points: [0, 1].map(rateOf), link, lag: undefined, clock, logger },
      waitingBytes: () => publisher.report().bytes,
    });
    this.rate = rate;
    const publisher = new Publisher({
      producer: link.watch({ send: (records) => this.#send(records) }),
      spool,
      ...{ ownsNow, clock, logger, random },
    });
    this.telemetry = new Telemetry(books, {
      memory: () => publisher.report(),
      spool: () => spool?.report(),
    });
    const encoder = this.#openEncoder();
    this.encoder = encoder;
    const status = new StatusReporter({
      ...{ agentId, books, clock, logger },
      send: (statuses) => site.send(host, () => site.statuses.push(...statuses)),
      onTold: (account) => spool?.forget(account),
      onOver: (book) => {
        this.telemetry.forget(book);
        sampler.forget(book.cameraId);
        rate.forget(book.cameraId);
      },
      profileOf: (cameraId) => rate.report(cameraId),
    });
    this.cameras = new Cameras({
      settings: [],
      books,
      input: { width: 64, height: 64, fill: [0, 0, 0] },
      onStateChanged: () => status.reportNow(),
      epochNow: (cameraId) => (ownsNow(cameraId) ? this.fleet.epochNow() : undefined),
      ...{ clock, logger, seed: 4 },
      openSource: (spec, options) => this.#source(spec, options),
    });
    const reader = {
      ...{ folder: '/', lookup: () => undefined, ratePoint: undefined, rate: {} },
      offered: {
        ...{ defaultRatePoint: 0, ratePoints: [0, 1].map(rateOf) },
        heads: TASKS.map((task) => ({ task })),
      },
    };
    this.fleet = new FleetAgent({
      profile: { agentId, camerasMax: 20, framesPerSecondMax: 1_000 },
      registry: this.link.open(host),
      hooks: new FleetCameras({
        ...{ books, rate, sampler, cameras: this.cameras, stages: [encoder, publisher] },
        ...{ status, telemetry: this.telemetry, clock },
        read: (camera) => readRegisteredCamera(camera, reader),
      }),
      ...{ clock, logger },
    });
    const begin = {
      ...{ books, ratePoints: rate.ratePoints, ownsNow, sampler, tracer: noTracer },
      ...{ topic: 'frames', admits: (cameraId: string) => rate.admits(cameraId) },
    };
    this.pipeline = new Pipeline({
      capture: this.cameras,
      begin: (frame) => beginJourney(begin, frame),
      encode: encoder,
      wrap: (journey, encoded) => {
        rate.encoded(journey, encoded, encoded.bitstream.length);
        return wrapFrame(RECORD, journey, encoded);
      },
      publish: publisher,
      status,
    });
  }

  async start(): Promise<void> {
    await this.pipeline.start();
    this.rate.start();
    this.fleet.start();
  }

  async stop(): Promise<void> {
    this.rate.stop();
    await Promise.all([this.fleet.stop(), this.pipeline.drain()]);
  }

  /** kill -9: nothing reaches it any more, and it writes nothing. */
  kill(): void {
    this.host.kill();
    this.#store?.close();
  }

  #openEncoder(): Encoder {
    const { clock } = this.host;
    const encode = async () => {
      await clock.sleep(ENCODE_MS);
      return { bitstream: new Uint8Array(100), encodeTimeUs: 1, encodeDurationUs: 1_000 };
    };
    return new Encoder({
      workerCount: 2,
      openWorker: async () => ({ encode, close: async () => undefined }),
      measure: (cameraId, { encodeDurationUs, bitstream }) =>
        this.telemetry.encoded(cameraId, encodeDurationUs, bitstream.length),
      clock,
      logger: silentLogger,
    });
  }

  #source(spec: SourceSpec, { framesPerSecond }: SourceOptions): Source {
    this.opened.push(spec);
    const { site } = this;
    const { clock } = this.host;
    const random = seededRandom(this.opened.length).fork(this.host.name);
    return {
      ...{ kind: 'synthetic', description: 'fake', isFinite: false },
      async *open(signal) {
        while (true) {
          await clock.sleep(1_000 / framesPerSecond, signal);
          if (signal.aborted) return;
          if (random.integer(1_000) < site.sourceFailsPermille) {
            throw new HalfsightError('source-failed', 'the camera was unplugged.');
          }
          yield { ...IMAGE_FACTS, captureTimeUs: clock.nowUs(), pixels: new Uint8Array(3) };
        }
      },
    };
  }

  #send(records: readonly OutgoingRecord[]): Promise<void> {
    const { sent, time } = this.site;
    return this.site.send(this.host, () => {
      for (const { value } of records) {
        const { cameraId, epoch, sequence, heads } = decodeFrame(value, FRAMING);
        sent.push({ cameraId, epoch, sequence, heads, atMs: time.monotonicMs() });
      }
    });
  }
}

function rateOf(index: number) {
  return { index, name: `rate-${index}`, typicalBytes: 100 };
}
