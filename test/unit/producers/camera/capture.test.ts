import { expect, test } from 'vitest';
import type { CaptureOptions } from '#producers/camera/capture.ts';
import { captureCamera, wallClockEpochs } from '#producers/camera/capture.ts';
import type { Image, Source } from '#producers/camera/image.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';

/** Time that passes only by sleeping; whoever sleeps is the only one here that waits. */
class FakeClock implements Clock {
  ms = 1_000_000;
  readonly slept: number[] = [];

  nowUs(): number {
    return this.ms * 1000;
  }
  monotonicMs(): number {
    return this.ms;
  }
  sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    this.ms += ms;
    return Promise.resolve();
  }
  turn(): Promise<void> {
    return Promise.resolve();
  }
  after(): () => void {
    throw new Error('not used');
  }
  every(): () => void {
    throw new Error('not used');
  }
}

const IMAGE: Image = {
  pixels: new Uint8Array(3),
  captureTimeUs: 1,
  timeSource: 'wall',
  sourceWidth: 1,
  sourceHeight: 1,
  content: { x: 0, y: 0, width: 1, height: 1 },
};

/** One run of the fake source: so many images, each after `msPerImage`, and how it ends. */
interface Run {
  readonly images: number;
  readonly msPerImage?: number;
  readonly error?: Error;
}

function scene(runs: readonly Run[], more: { isFinite?: boolean } = {}) {
  const clock = new FakeClock();
  const abort = new AbortController();
  const log: string[] = [];
  const open = { now: 0, most: 0, count: 0 };
  const source: Source = {
    kind: 'rtsp',
    description: 'rtsp://***@camera/1',
    isFinite: more.isFinite ?? false,
    open: async function* () {
      const run = runs[open.count++];
      if (run === undefined) {
        abort.abort();
        return;
      }
      open.most = Math.max(open.most, ++open.now);
      try {
        for (let index = 0; index < run.images; index++) {
          clock.ms += run.msPerImage ?? 10;
          yield IMAGE;
        }
        if (run.error !== undefined) throw run.error;
      } finally {
        open.now--;
      }
    },
  };
  const options: CaptureOptions = {
    cameraId: 'yard',
    source,
    epochNow: wallClockEpochs(clock),
    clock,
    logger: silentLogger,
    random: seededRandom(7),
    retryDelayMsMin: 100,
    retryDelayMsMax: 1_600,
    hooks: {
      onFrame: (frame) => log.push(`frame ${frame.epoch}.${frame.sequence}`),
      onState: (change) => log.push(`${change.state} ${change.reconnects}`),
      onEpochEnd: (epoch, captured) => log.push(`end ${epoch} of ${captured}`),
    },
  };
  return { clock, abort, log, open, options };
}

const FAILED = new HalfsightError('source-failed', 'The camera is away.');

test('images are passed over while no epoch may begin; the next one is number 0', async () => {
  const { abort, log, options, clock } = scene([{ images: 5, msPerImage: 10 }]);
  const mayBeginMs = clock.ms + 25;
  const epochNow = () => (clock.ms < mayBeginMs ? undefined : 42);
  await captureCamera({ ...options, epochNow }, abort.signal);
  expect(log.slice(0, 6)).toEqual([
    'connecting 0',
    'online 0',
    ...['frame 42.0', 'frame 42.1', 'frame 42.2', 'end 42 of 3'],
  ]);
});

test('a run that fails is followed by another one, as a new epoch from zero', async () => {
  const { abort, log, options, open } = scene([{ images: 2, error: FAILED }, { images: 1 }]);
  await captureCamera(options, abort.signal);
  const epochs = [...new Set(log.flatMap((line) => /^frame (\d+)/.exec(line)?.[1] ?? []))];
  const [first, second] = epochs.map(Number);
  expect(second).toBeGreaterThan(first ?? Number.POSITIVE_INFINITY);
  expect(log).toEqual([
    'connecting 0',
    'online 0',
    `frame ${first}.0`,
    `frame ${first}.1`,
    `end ${first} of 2`,
    'offline 0',
    'online 1',
    `frame ${second}.0`,
    `end ${second} of 1`,
    'offline 1',
  ]);
  expect(open.most).toBe(1);
});

test('an epoch is the time of its first frame, in milliseconds', async () => {
  const { abort, log, options } = scene([{ images: 1, msPerImage: 250 }]);
  await captureCamera(options, abort.signal);
  expect(log).toContain('frame 1000250.0');
});

test('epochs grow although the clock is set back', async () => {
  const { abort, clock, log, options } = scene([{ images: 1, error: FAILED }, { images: 1 }]);
  clock.sleep = () => {
    clock.ms -= 500_000;
    return Promise.resolve();
  };
  await captureCamera(options, abort.signal);
  expect(log.filter((line) => line.startsWith('frame'))).toEqual([
    'frame 1000010.0',
    'frame 1000011.0',
  ]);
});

test('the delay doubles, within its bounds, and is not the same for all cameras', async () => {
  const runs = Array.from({ length: 8 }, () => ({ images: 0, error: FAILED }));
  const { abort, clock, options } = scene(runs);
  await captureCamera(options, abort.signal);
  const longest = [200, 400, 800, 1_600, 1_600, 1_600, 1_600, 1_600];
  expect(clock.slept).toHaveLength(longest.length);
  for (const [index, ms] of clock.slept.entries()) {
    expect(ms).toBeGreaterThanOrEqual((longest[index] ?? 0) / 2);
    expect(ms).toBeLessThanOrEqual(longest[index] ?? 0);
  }
  const other = scene(runs);
  await captureCamera({ ...other.options, random: seededRandom(8) }, other.abort.signal);
  expect(other.clock.slept).not.toEqual(clock.slept);
});

test('a good run makes the delay short again, a brief one does not', async () => {
  const failure = { images: 0, error: FAILED };
  const runs = [failure, failure, failure, { images: 200, error: FAILED }, failure];
  const { abort, clock, options } = scene(runs);
  await captureCamera(options, abort.signal);
  expect(clock.slept[2]).toBeGreaterThanOrEqual(400);
  expect(clock.slept[3]).toBeLessThanOrEqual(200);
  const brief = scene([failure, failure, failure, { images: 3, error: FAILED }]);
  await captureCamera(brief.options, brief.abort.signal);
  expect(brief.clock.slept[3]).toBeGreaterThanOrEqual(800);
});

test('what nobody can mend from here is tried again, at the slowest pace', async () => {
  const error = new HalfsightError('source-invalid', 'The camera refuses the password.');
  const { abort, clock, log, options } = scene([{ images: 0, error }, { images: 1 }]);
  await captureCamera(options, abort.signal);
  expect(clock.slept[0]).toBeGreaterThanOrEqual(800);
  expect(log).toContain('online 0');
});

test('a finite source ends; an endless one that ends is opened again', async () => {
  const finite = scene([{ images: 1 }, { images: 1 }], { isFinite: true });
  await captureCamera(finite.options, finite.abort.signal);
  expect(finite.log.at(-1)).toBe('ended 0');
  expect(finite.open.count).toBe(1);
  const endless = scene([{ images: 1 }, { images: 1 }]);
  await captureCamera(endless.options, endless.abort.signal);
  expect(endless.log).toContain('online 1');
});

test('no frame surfaces after an abort, though the source still gives some', async () => {
  const { abort, log, options } = scene([{ images: 5 }]);
  const { hooks } = options;
  const stopping = {
    ...hooks,
    onFrame: (frame: Parameters<typeof hooks.onFrame>[0]) => {
      hooks.onFrame(frame);
      if (frame.sequence === 1) abort.abort();
    },
  };
  await captureCamera({ ...options, hooks: stopping }, abort.signal);
  expect(log.filter((line) => line.startsWith('frame'))).toHaveLength(2);
  expect(log.at(-1)).toMatch(/^end \d+ of 2$/);
});

test('a mistake in the program is not hidden in a retry', async () => {
  const { abort, options } = scene([{ images: 1, error: new TypeError('a mistake') }]);
  await expect(captureCamera(options, abort.signal)).rejects.toThrow('a mistake');
});
