import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import type { Image, Source } from '#producers/camera/image.ts';
import type { PreviewOutcome } from '#producers/camera/previews.ts';
import { createSource } from '#producers/camera/sources/create.ts';
import { SourceThread } from '#producers/camera/sources/source-thread.ts';
import type { SourceSpec } from '#producers/camera/sources/spec.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, type Logger, silentLogger } from '#runtime/log.ts';
import { ENDS, FAILS, GOES_ON, HURRIES, IMAGES, IS_WRONG } from './scripted-source-worker.ts';

const INPUT = { width: 64, height: 64, fill: [127, 127, 127] } as const;
const SCRIPTED = new URL('./scripted-source-worker.ts', import.meta.url);

const opened: SourceThread[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((thread) => thread.close()));
});

function openThread(openWorker?: () => Worker): SourceThread {
  const thread = new SourceThread(openWorker);
  opened.push(thread);
  return thread;
}

function specOf(seed: number): SourceSpec {
  return { kind: 'synthetic', scene: 'plaza', seed, width: 1280, height: 720 };
}

function scripted(seed: number, logger: Logger = silentLogger) {
  const thread = openThread(() => new Worker(SCRIPTED));
  const options = { input: INPUT, framesPerSecond: 60, clock: systemClock, logger };
  return thread.create(specOf(seed), options);
}

function logInto(lines: string[]): Logger {
  const write = (line: string) => void lines.push((JSON.parse(line) as { event: string }).event);
  return createLogger({ level: 'debug', format: 'json', write });
}

/** Into `taken`, which keeps what came before an error. */
async function take(images: AsyncIterable<Image>, taken: number[] = []): Promise<number[]> {
  for await (const { captureTimeUs, pixels } of images) {
    expect([...pixels]).toEqual([captureTimeUs & 0xff, captureTimeUs >> 8]);
    taken.push(captureTimeUs);
  }
  return taken;
}

test('it gives the images that a source gives here', async () => {
  const options = { input: INPUT, framesPerSecond: 5, clock: systemClock, logger: silentLogger };
  const here = createSource(specOf(5), options);
  const there = openThread().create(specOf(5), options);
  expect(there).toMatchObject({ kind: here.kind, description: here.description, isFinite: false });
  const first = async (images: AsyncIterable<Image>) => {
    for await (const image of images) return image;
    return undefined;
  };
  const { captureTimeUs: _, ...expected } = (await first(here.open(never()))) ?? {};
  const image = await first(there.open(never()));
  expect(image).toMatchObject(expected);
  expect(Math.abs((image?.captureTimeUs ?? 0) - systemClock.nowUs())).toBeLessThan(60e6);
});

test('small pictures come where there is leave, with the next run only after a rest', async () => {
  const made: PreviewOutcome[] = [];
  let restMs = 0;
  const preview = { everySeconds: 5, width: 32, restMs: () => restMs, onMade };
  function onMade(outcome: PreviewOutcome): void {
    made.push(outcome);
    restMs = 5_000;
  }
  const spec = { ...specOf(1), scene: 'test-card' } as const;
  const options = { input: INPUT, framesPerSecond: 30, clock: systemClock, logger: silentLogger };
  const thread = openThread();
  const takeSome = async (source: Source) => {
    let count = 0;
    for await (const { captureTimeUs } of source.open(never())) {
      if (++count === 5) return captureTimeUs;
    }
    return 0;
  };
  await takeSome(thread.create(spec, options));
  expect(made).toEqual([]);
  const source = thread.create(spec, { ...options, preview });
  const lastUs = await takeSome(source);
  expect(made).toMatchObject([{ width: 32, height: 18, jpeg: expect.any(Uint8Array) }]);
  const [first] = made;
  if (first === undefined || 'dropped' in first) return expect.fail('none was made');
  expect([...first.jpeg.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
  expect(first.captureTimeUs).toBeLessThanOrEqual(lastUs);
  await takeSome(source);
  expect(made).toHaveLength(1);
  return undefined;
});

test('a run ends when its source does, with all of its images and all that it logs', async () => {
  const lines: string[] = [];
  const source = scripted(ENDS, logInto(lines));
  expect(await take(source.open(never()))).toEqual([0, 1, 2]);
  expect(lines).toEqual([...Array.from({ length: IMAGES }, () => 'image'), 'closed']);
  expect(await take(source.open(never())), 'and again').toEqual([0, 1, 2]);
});

test('a failure comes after the last image, with its code and its advice', async () => {
  const taken: number[] = [];
  const failure = { code: 'source-invalid', message: 'no!', advice: 'Do.' };
  await expect(take(scripted(FAILS).open(never()), taken)).rejects.toMatchObject(failure);
  expect(taken).toEqual([0, 1, 2]);
});

test('a mistake in the program stays one', async () => {
  const error = await take(scripted(IS_WRONG).open(never())).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(TypeError);
  expect(error.message).toBe('a mistake');
});

test('what nobody takes waits to a limit, and beyond is passed over', async () => {
  const lines: string[] = [];
  const abort = new AbortController();
  const images = scripted(HURRIES, logInto(lines)).open(abort.signal)[Symbol.asyncIterator]();
  const numbers: number[] = [];
  const takeOne = async () => numbers.push((await images.next()).value.captureTimeUs);
  await takeOne();
  while (lines.length < 100) await systemClock.sleep(5);
  for (let more = 0; more < LIMITS.framesWaitingPerSourceMax + 1; more++) await takeOne();
  expect(numbers.slice(0, 2)).toEqual([0, 1]);
  expect(numbers[3]).toBeGreaterThan(90);
  await images.return?.();
});

test.each(['aborted', 'left'])('a run that is %s has let go of its camera', async (how) => {
  const lines: string[] = [];
  const abort = new AbortController();
  for await (const { captureTimeUs } of scripted(GOES_ON, logInto(lines)).open(abort.signal)) {
    if (captureTimeUs < 5) continue;
    expect(captureTimeUs, 'no image follows the abort').toBe(5);
    if (how === 'left') break;
    abort.abort();
  }
  expect(lines.at(-1)).toBe('closed');
});

test('whoever waits for an image is woken by the abort', async () => {
  const abort = new AbortController();
  const options = { input: INPUT, framesPerSecond: 0.1, clock: systemClock, logger: silentLogger };
  const images = openThread().create(specOf(1), options).open(abort.signal)[Symbol.asyncIterator]();
  expect((await images.next()).done).toBe(false);
  const second = images.next();
  abort.abort();
  expect((await second).done).toBe(true);
});

test('one that was aborted before starts no thread', async () => {
  const source = openThread(() => expect.fail('no thread')).create(specOf(1), {
    ...{ input: INPUT, framesPerSecond: 5, clock: systemClock, logger: silentLogger },
  });
  expect(await take(source.open(AbortSignal.abort()))).toEqual([]);
});

function never(): AbortSignal {
  return new AbortController().signal;
}
