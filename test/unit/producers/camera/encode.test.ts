import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteCeiling,
  type EncodedImage,
  type EncodeJob,
  Encoder,
  type EncodeWorker,
} from '#producers/camera/encode.ts';
import type { Journey } from '#producers/camera/journey.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock, settle } from '#test/fixtures/manual-clock.ts';
import { JourneyMaker } from './journeys.ts';

const ENCODED: EncodedImage = {
  bitstream: new Uint8Array([1, 2, 3]),
  encodeTimeUs: 5,
  encodeDurationUs: 4,
};
const PIXELS = new Uint8Array(3);

/** Is done with its oldest job when the test says so. */
class FakeWorker implements EncodeWorker {
  readonly jobs: EncodeJob[] = [];
  isClosed = false;
  readonly die: (error: Error) => void;
  readonly #answers: PromiseWithResolvers<EncodedImage>[] = [];

  constructor(onDied: (error: Error) => void) {
    this.die = (error) => {
      while (this.jobs.length > 0) this.reject(error);
      onDied(error);
    };
  }

  encode(job: EncodeJob): Promise<EncodedImage> {
    this.jobs.push(job);
    expect(this.jobs.length).toBeLessThanOrEqual(LIMITS.framesPerEncoderMax);
    const answer = Promise.withResolvers<EncodedImage>();
    this.#answers.push(answer);
    return answer.promise;
  }

  resolve(encoded: EncodedImage): void {
    this.jobs.shift();
    this.#answers.shift()?.resolve(encoded);
  }

  reject(error: Error): void {
    this.jobs.shift();
    this.#answers.shift()?.reject(error);
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

async function setUp(workerCount: number, ceiling?: ByteCeiling) {
  const clock = new ManualClock();
  const workers: FakeWorker[] = [];
  const encoded: string[] = [];
  const journeys = new JourneyMaker();
  const encoder = new Encoder({
    workerCount,
    openWorker: async (onDied) => {
      const worker = new FakeWorker(onDied);
      workers.push(worker);
      return worker;
    },
    ...(ceiling && { ceilingOf: () => ceiling }),
    clock,
    logger: silentLogger,
  });
  await encoder.start((journey) => encoded.push(nameOf(journey)));
  const submit = (cameraId: string) => encoder.submit(journeys.next(cameraId), PIXELS);
  return { clock, workers, encoded, journeys, encoder, submit };
}

function nameOf({ identity }: Journey): string {
  return `${identity.cameraId}:${identity.sequence}`;
}

async function finishOne(worker: FakeWorker | undefined): Promise<void> {
  worker?.resolve(ENCODED);
  await settle();
}

describe('Encoder', () => {
  it('keeps only the newest waiting frame of a camera and counts the replaced ones', async () => {
    const { workers, encoded, journeys, encoder, submit } = await setUp(1);
    for (let index = 0; index < 5; index++) submit('a');
    expect(journeys.account('a').dropped).toEqual({ 'encoder-busy': 3 });
    expect(encoder.queueState(7)).toEqual({ length: 1, max: 7, in: 5, dropped: 3 });
    await finishOne(workers[0]);
    await finishOne(workers[0]);
    expect(encoded).toEqual(['a:0', 'a:4']);
    expect(journeys.account('a').counts().inFlight).toBe(2);
  });

  it('runs one frame of a camera at a time although workers are idle', async () => {
    const { workers, encoded, submit } = await setUp(2);
    submit('a');
    submit('a');
    expect(workers.map(({ jobs }) => jobs.length)).toEqual([1, 0]);
    submit('b');
    expect(workers.map(({ jobs }) => jobs.length)).toEqual([1, 1]);
    await finishOne(workers[1]);
    await finishOne(workers[0]);
    expect(encoded).toEqual(['b:0', 'a:0']);
  });

  it('gives a worker its next frame before it is done, the least busy one first', async () => {
    const { workers, encoded, submit } = await setUp(2);
    const given = () => workers.map(({ jobs }) => jobs.length);
    for (const camera of ['a', 'b', 'c']) submit(camera);
    expect(given()).toEqual([2, 1]);
    for (const camera of ['d', 'e']) submit(camera);
    expect(given()).toEqual([2, 2]);
    await finishOne(workers[1]);
    expect(encoded).toEqual(['b:0']);
    expect(given()).toEqual([2, 2]);
    for (let count = 0; count < 2; count++) await finishOne(workers[0]);
    submit('f');
    expect(given()).toEqual([1, 2]);
  });

  it('tells when no frame of a camera waits or runs', async () => {
    const { workers, encoder, submit } = await setUp(1);
    const told: string[] = [];
    for (let index = 0; index < 2; index++) submit('a');
    submit('b');
    for (const name of ['a', 'b', 'c']) void encoder.settled(name).then(() => told.push(name));
    await finishOne(workers[0]);
    expect(told).toEqual(['c']);
    await finishOne(workers[0]);
    expect(told).toEqual(['c', 'b']);
    await finishOne(workers[0]);
    expect(told).toEqual(['c', 'b', 'a']);
    expect(encoder.size).toBe(0);
  });

  it('serves cameras in turn, however fast one of them is', async () => {
    const { workers, encoded, submit } = await setUp(1);
    submit('fast');
    submit('slow-1');
    submit('slow-2');
    for (let index = 0; index < 6; index++) {
      for (let burst = 0; burst < 10; burst++) submit('fast');
      await finishOne(workers[0]);
      if (index === 2) submit('slow-1');
    }
    const cameras = encoded.map((name) => name.split(':')[0]);
    expect(cameras).toEqual(['fast', 'slow-1', 'slow-2', 'fast', 'slow-1', 'fast']);
  });

  it('drops a frame on which the encoder throws, and goes on with the same worker', async () => {
    const { workers, encoded, journeys, submit } = await setUp(1);
    submit('a');
    submit('a');
    workers[0]?.reject(new Error('bad picture'));
    await settle();
    expect(journeys.account('a').dropped).toEqual({ 'encode-failed': 1 });
    await finishOne(workers[0]);
    expect(encoded).toEqual(['a:1']);
    expect(workers).toHaveLength(1);
  });

  it('drops a frame that is too large even at the coarsest rate point', async () => {
    const ceiling = { bytesPerFrameMax: ENCODED.bitstream.length, coarsest: 3 };
    const { workers, encoded, journeys, submit } = await setUp(1, ceiling);
    submit('a');
    submit('a');
    expect(workers[0]?.jobs[0]).toMatchObject({ ceiling });
    workers[0]?.resolve({ ...ENCODED, bitstream: new Uint8Array(4), ratePoint: 3 });
    await settle();
    expect(journeys.account('a').dropped).toEqual({ 'over-byte-ceiling': 1 });
    await finishOne(workers[0]);
    expect(encoded).toEqual(['a:1']);
  });

  it('replaces a worker that died, with the frames that it had dropped', async () => {
    const { clock, workers, encoded, journeys, submit } = await setUp(1);
    submit('a');
    submit('b');
    workers[0]?.die(new Error('out of memory'));
    await settle();
    expect(journeys.account('a').dropped).toEqual({ 'encode-failed': 1 });
    expect(journeys.account('b').dropped).toEqual({ 'encode-failed': 1 });
    submit('a');
    expect(workers).toHaveLength(1);
    await clock.advance(LIMITS.encoderRestartDelayMsMin);
    expect(workers).toHaveLength(2);
    await finishOne(workers[1]);
    expect(encoded).toEqual(['a:1']);
  });

  it('replaces a worker that died idle', async () => {
    const { clock, workers, encoded, submit } = await setUp(1);
    workers[0]?.die(new Error('out of memory'));
    await clock.advance(LIMITS.encoderRestartDelayMsMin);
    submit('a');
    await finishOne(workers[1]);
    expect(encoded).toEqual(['a:0']);
  });

  it('drains waiting frames, and drops those that wait too long', async () => {
    const { clock, workers, encoded, journeys, encoder, submit } = await setUp(1);
    for (const camera of ['a', 'b', 'c', 'd']) submit(camera);
    let isDrained = false;
    const drained = encoder.drain().then(() => {
      isDrained = true;
    });
    await finishOne(workers[0]);
    await clock.advance(LIMITS.encodeDrainTimeoutMs);
    expect(journeys.account('d').dropped).toEqual({ shutdown: 1 });
    expect(encoder.queueState(4)).toMatchObject({ length: 0, in: 4, dropped: 1 });
    for (let count = 0; count < 2; count++) {
      expect(isDrained, 'what a worker has is always awaited').toBe(false);
      await finishOne(workers[0]);
    }
    await drained;
    expect(encoded).toEqual(['a:0', 'b:0', 'c:0']);
    await encoder.close();
    expect(workers[0]?.isClosed).toBe(true);
    expect(clock.timerCount).toBe(0);
  });

  it('closes the workers that opened when another could not', async () => {
    const workers: FakeWorker[] = [];
    const encoder = new Encoder({
      workerCount: 3,
      openWorker: async (onDied) => {
        if (workers.length === 1) throw new Error('no such model');
        const worker = new FakeWorker(onDied);
        workers.push(worker);
        return worker;
      },
      clock: new ManualClock(),
      logger: silentLogger,
    });
    await expect(encoder.start(() => undefined)).rejects.toThrow('no such model');
    expect(workers.every(({ isClosed }) => isClosed)).toBe(true);
  });

  it('settles every frame once, in order per camera, under random interleavings', async () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('submit' as const), camera: fc.constantFrom('a', 'b', 'c') }),
      fc.record({
        type: fc.constantFrom('finish' as const, 'fail' as const, 'die' as const),
        pick: fc.nat(),
      }),
      fc.record({ type: fc.constant('wait' as const) }),
    );
    const steps = fc.array(step, { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (script, workerCount) => {
        const { clock, workers, encoded, journeys, encoder, submit } = await setUp(workerCount);
        for (const event of script) {
          if (event.type === 'submit') submit(event.camera);
          else if (event.type === 'wait') await clock.advance(LIMITS.encoderRestartDelayMsMax);
          else {
            const busy = workers.filter(({ jobs }) => jobs.length > 0);
            const worker = busy[event.pick % Math.max(1, busy.length)];
            if (event.type === 'finish') worker?.resolve(ENCODED);
            else if (event.type === 'fail') worker?.reject(new Error('bad picture'));
            else worker?.die(new Error('gone'));
            await settle();
          }
        }
        const drained = encoder.drain();
        for (let round = 0; round < 5; round++) {
          for (const worker of workers) while (worker.jobs.length > 0) worker.resolve(ENCODED);
          await clock.advance(LIMITS.encodeDrainTimeoutMs);
        }
        await drained;
        for (const account of journeys.accounts.values()) {
          const { captured, inFlight } = account.counts();
          const dropped = Object.values(account.dropped).reduce((a, b) => a + b, 0);
          const own = encoded.filter((name) => name.startsWith(`${account.cameraId}:`));
          // Nobody publishes in this test, so what was encoded is what is still in flight.
          expect(inFlight).toBe(own.length);
          expect(captured).toBe(own.length + dropped);
          const sequences = own.map((name) => Number(name.split(':')[1]));
          expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
          expect(new Set(sequences).size).toBe(sequences.length);
        }
      }),
      { numRuns: 60 },
    );
  });
});
