import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import type { Frame } from '#producers/camera/capture.ts';
import { Encoder } from '#producers/camera/encode.ts';
import { Sampler } from '#producers/camera/frame-trace.ts';
import { beginJourney } from '#producers/camera/journey.ts';
import { Pipeline } from '#producers/camera/pipeline.ts';
import { Publisher } from '#producers/camera/publish.ts';
import { StatusReporter } from '#producers/camera/status.ts';
import { Telemetry } from '#producers/camera/telemetry.ts';
import { wrapFrame } from '#producers/camera/wrap.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { decodeFrame, type FrameRecord } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { IMAGE_FACTS } from './journeys.ts';

const CAMERAS = ['a', 'b', 'c'];
const framing = singleObjectFraming();

/** The whole agent on a fake clock, with cameras, workers and a broker that misbehave at random. */
class AgentOnTrial {
  readonly clock = new ManualClock();
  readonly books = new Map(CAMERAS.map((id) => [id, new CameraBook(id)]));
  readonly written: FrameRecord[] = [];
  readonly statuses: CameraStatus[] = [];
  readonly pipeline: Pipeline;
  readonly telemetry: Telemetry;
  brokerIsAway = false;
  /** How many bytes the next bitstreams have: a busy picture makes many. */
  bitstreamBytes = 50;
  readonly #random: Random;
  readonly #next = new Map(CAMERAS.map((id) => [id, { epoch: 1000, sequence: 0 }]));
  #onFrame: (frame: Frame) => void = () => undefined;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const { clock, books } = this;
    const logger = silentLogger;
    const producer = { send: (records: readonly OutgoingRecord[]) => this.#send(records) };
    const publisher = new Publisher({
      producer,
      spool: undefined,
      ownsNow: () => true,
      clock,
      logger,
      random: seededRandom(seed),
    });
    this.telemetry = new Telemetry(books, {
      memory: () => publisher.report(),
      spool: () => undefined,
    });
    const begin = {
      books,
      ratePoints: new Map(CAMERAS.map((id) => [id, 0])),
      ownsNow: () => true,
      sampler: new Sampler(0.5, 1),
      tracer: noTracer,
      topic: 'frames',
    };
    const record = {
      topic: 'frames',
      framing,
      input: { width: 416, height: 416 },
      bundleName: 'tiny',
      bundleVersion: '1',
      bundleDigest: new Uint8Array(32),
      logger,
    };
    this.pipeline = new Pipeline({
      capture: {
        start: (onFrame) => {
          this.#onFrame = onFrame;
        },
        stop: async () => {
          for (const book of books.values()) book.endEpoch();
        },
      },
      begin: (frame) => beginJourney(begin, frame),
      encode: new Encoder({
        workerCount: 2,
        openWorker: async (onDied) => this.#worker(onDied),
        measure: (cameraId, { encodeDurationUs, bitstream }) =>
          this.telemetry.encoded(cameraId, encodeDurationUs, bitstream.length),
        clock,
        logger,
      }),
      wrap: (journey, encoded) => wrapFrame(record, journey, encoded),
      publish: publisher,
      status: new StatusReporter({
        agentId: 'agent',
        books,
        send: async (statuses) => {
          await this.#answer();
          this.statuses.push(...statuses);
        },
        clock,
        logger,
      }),
    });
  }

  capture(cameraId: string): void {
    const next = this.#next.get(cameraId) ?? { epoch: 0, sequence: 0 };
    const identity = { cameraId, epoch: next.epoch, sequence: next.sequence++ };
    this.#onFrame({ ...identity, image: { ...IMAGE_FACTS, pixels: new Uint8Array(3) } });
  }

  restart(cameraId: string): void {
    const epoch = (this.#next.get(cameraId)?.epoch ?? 0) + 1;
    this.#next.set(cameraId, { epoch, sequence: 0 });
  }

  #worker(onDied: (error: Error) => void) {
    return {
      encode: async () => {
        await this.clock.sleep(this.#random.integer(60));
        const luck = this.#random.next();
        if (luck < 0.05) throw new Error('bad picture');
        if (luck < 0.08) {
          const error = new Error('died');
          onDied(error);
          throw error;
        }
        const bitstream = new Uint8Array(this.bitstreamBytes);
        return { bitstream, encodeTimeUs: this.clock.nowUs(), encodeDurationUs: 1000 };
      },
      close: async () => undefined,
    };
  }

  async #send(records: readonly OutgoingRecord[]): Promise<void> {
    await this.#answer();
    for (const { value } of records) this.written.push(decodeFrame(value, framing));
  }

  async #answer(): Promise<void> {
    await this.clock.sleep(this.#random.integer(30));
    if (this.brokerIsAway) throw new HalfsightError('publish-failed', 'the broker is away.');
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('capture' as const),
      camera: fc.constantFrom(...CAMERAS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      camera: fc.constantFrom(...CAMERAS),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('broker' as const), isAway: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('busyness' as const),
      bytes: fc.constantFrom(
        50,
        5000,
        LIMITS.frameRecordBytesMax - 100,
        LIMITS.frameRecordBytesMax,
      ),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function play(agent: AgentOnTrial, event: Step): Promise<void> {
  if (event.type === 'capture') agent.capture(event.camera);
  else if (event.type === 'restart') agent.restart(event.camera);
  else if (event.type === 'wait') await agent.clock.advance(event.ms);
  else if (event.type === 'broker') agent.brokerIsAway = event.isAway;
  else agent.bitstreamBytes = event.bytes;
}

describe('the pipeline of the camera agent', () => {
  it('accounts for every frame, whatever cameras, encoders and broker do', async () => {
    const reasonsSeen = new Set<string>();
    const trial = fc.asyncProperty(
      fc.array(step, { minLength: 60, maxLength: 200 }),
      fc.nat(),
      async (script, seed) => {
        const agent = new AgentOnTrial(seed);
        await agent.pipeline.start();
        for (const event of script) await play(agent, event);
        agent.brokerIsAway = false;
        const drained = agent.pipeline.drain();
        await agent.clock.advance(LIMITS.shutdownTimeoutMs);
        await drained;

        // The last status of an epoch may be told again when the camera's state changes after it.
        const byEpoch = new Map<string, CameraStatus>();
        for (const status of agent.statuses) {
          const name = `${status.cameraId}-${status.epoch}`;
          const before = byEpoch.get(name);
          if (before !== undefined) {
            const { captured, published, dropped } = before;
            expect(status).toMatchObject({ captured, published, dropped, final: true });
          }
          if (status.final) byEpoch.set(name, status);
        }
        const finals = [...byEpoch.values()];
        const { captured, published, inFlight } = agent.telemetry.snapshot().total;
        expect(inFlight).toBe(0);
        expect(agent.written).toHaveLength(published);
        expect(finals.reduce((sum, status) => sum + status.captured, 0)).toBe(captured);
        for (const { cameraId, epoch, captured, published, dropped } of finals) {
          for (const reason of Object.keys(dropped)) reasonsSeen.add(reason);
          const droppedCount = Object.values(dropped).reduce((a, b) => a + b, 0);
          expect(captured).toBe(published + droppedCount);
          const own = agent.written.filter(
            (one) => one.cameraId === cameraId && one.epoch === epoch,
          );
          const sequences = own.map(({ sequence }) => sequence);
          expect(sequences).toEqual([...new Set(sequences)].toSorted((a, b) => a - b));
          expect(sequences).toHaveLength(published);
          own.forEach((frame, index) => {
            const told = Object.values(frame.dropped).reduce((a, b) => a + b, 0);
            const missing = frame.sequence - index;
            expect(told, 'each record tells of the drops before it').toBeGreaterThanOrEqual(
              missing,
            );
          });
        }
        for (const cameraId of CAMERAS) {
          const epochs = agent.written.filter((one) => one.cameraId === cameraId);
          const inOrder = epochs.toSorted((a, b) => a.epoch - b.epoch);
          expect(epochs, 'epochs of a camera do not mix').toEqual(inOrder);
        }
      },
    );
    await fc.assert(trial, { numRuns: 100 });
    expect([...reasonsSeen].toSorted()).toEqual([
      'encode-failed',
      'encoder-busy',
      'record-too-large',
    ]);
  });

  it('gives up in time when the broker stays away, and drops with `shutdown`', async () => {
    const agent = new AgentOnTrial(1);
    await agent.pipeline.start();
    agent.brokerIsAway = true;
    for (let index = 0; index < 20; index++) {
      agent.capture('a');
      await agent.clock.advance(100);
    }
    const startMs = agent.clock.monotonicMs();
    let endMs: number | undefined;
    const drained = agent.pipeline.drain().then(() => {
      endMs = agent.clock.monotonicMs();
    });
    await agent.clock.advance(LIMITS.shutdownTimeoutMs);
    await drained;
    expect((endMs ?? Infinity) - startMs).toBeLessThan(LIMITS.shutdownTimeoutMs);
    const { captured, published, dropped, inFlight } = agent.telemetry.snapshot().total;
    expect({ captured, published, inFlight }).toEqual({ captured: 20, published: 0, inFlight: 0 });
    expect(dropped.shutdown).toBeGreaterThan(0);
    expect(agent.written).toEqual([]);
  });
});
