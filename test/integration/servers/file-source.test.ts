import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Image } from '#producers/camera/image.ts';
import { createFfmpegSource } from '#producers/camera/sources/ffmpeg.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { until } from '#test/fixtures/until.ts';
import { makeTestClip, runFfmpeg } from '#test/integration/rtsp-relay.ts';
import { INPUT, recordCamera } from './recorded-camera.ts';

let folder = '';
const clips: Record<string, string> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'halfsight-file-'));
  clips.wide = join(folder, 'wide.mp4');
  await makeTestClip(clips.wide, { seconds: 3 });
  // White all over, so that every pixel tells whether it is picture or border.
  const white = 'color=white:size=360x576:rate=10:duration=1';
  clips.tall = join(folder, 'tall.mkv');
  await runFfmpeg([...['-f', 'lavfi', '-i', white], ...['-c:v', 'ffv1', clips.tall]]);
  clips.anamorphic = join(folder, 'anamorphic.mkv');
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', white.replace('360x576', '720x576')],
    ...['-vf', 'setsar=64/45', '-c:v', 'ffv1', clips.anamorphic],
  ]);
  const upright = join(folder, 'upright.mp4');
  await makeTestClip(upright, { size: '320x180', seconds: 1 });
  clips.turned = join(folder, 'turned.mp4');
  await runFfmpeg([...['-i', upright, '-c', 'copy', '-metadata:s:v:0', 'rotate=90', clips.turned]]);
});

afterAll(async () => await rm(folder, { recursive: true }));

async function firstImage(clip: string): Promise<Image> {
  const source = createFfmpegSource(
    { kind: 'ffmpeg', url: clip, loop: false },
    { input: INPUT, framesPerSecond: 5, clock: systemClock, logger: silentLogger },
  );
  for await (const image of source.open(new AbortController().signal)) return image;
  throw new Error(`no image in ${clip}`);
}

test('a file plays in real time at the frame rate asked for, once, and ends', async () => {
  const startMs = systemClock.monotonicMs();
  const camera = recordCamera({ url: clips.wide ?? '' });
  await camera.done;
  const tookMs = systemClock.monotonicMs() - startMs;
  expect(camera.frames).toHaveLength(15);
  expect(tookMs).toBeGreaterThan(2_500);
  expect(camera.states.map(({ state }) => state)).toEqual(['connecting', 'online', 'ended']);
  expect(camera.ended).toEqual([{ epoch: camera.frames[0]?.epoch, captured: 15 }]);
  expect(camera.frames[0]?.image.timeSource).toBe('file');
});

test('a looping file goes on past its end, in the same epoch', async () => {
  const camera = recordCamera({ url: clips.wide ?? '', loop: true });
  await until(() => camera.frames.length >= 20, 30_000, 'the file has begun again');
  await camera.stop();
  expect(new Set(camera.frames.map((frame) => frame.epoch)).size).toBe(1);
  expect(camera.states.map(({ state }) => state)).toEqual(['connecting', 'online']);
});

test.each([
  ['tall', 360, 576, { x: 78, y: 0, width: 260, height: 416 }],
  // 720 pixels of 64:45 are as wide as 1024 square ones.
  ['anamorphic', 1024, 576, { x: 0, y: 91, width: 416, height: 234 }],
])('%s pictures lie exactly in the content rectangle', async (name, width, height, content) => {
  const image = await firstImage(clips[name] ?? '');
  expect(image).toMatchObject({ sourceWidth: width, sourceHeight: height, content });
  const wrong: string[] = [];
  for (let y = 0; y < INPUT.height; y++) {
    for (let x = 0; x < INPUT.width; x++) {
      const isPicture =
        x >= content.x &&
        x < content.x + content.width &&
        y >= content.y &&
        y < content.y + content.height;
      const at = (y * INPUT.width + x) * 3;
      for (const value of image.pixels.subarray(at, at + 3)) {
        // The border is the fill colour exactly; white may be off by the YUV conversion.
        if (isPicture ? value < 250 : value !== 127) wrong.push(`${x},${y}: ${value}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('a picture that is stored lying is turned upright', async () => {
  const image = await firstImage(clips.turned ?? '');
  expect(image).toMatchObject({ sourceWidth: 180, sourceHeight: 320 });
  expect(image.content).toEqual({ x: 91, y: 0, width: 234, height: 416 });
});

test.each([
  ['an absent file', () => join(folder, 'absent.mp4'), /nothing under this name/],
  ['no video', () => import.meta.filename, /no video that ffmpeg can read/],
])('%s is told as such', async (_name, path, advice) => {
  await expect(firstImage(path())).rejects.toMatchObject({
    code: 'source-invalid',
    advice: expect.stringMatching(advice),
  });
});

test('a missing ffmpeg is told as such', async () => {
  const source = createFfmpegSource(
    { kind: 'ffmpeg', url: clips.wide ?? '', loop: false },
    {
      input: INPUT,
      framesPerSecond: 5,
      clock: systemClock,
      logger: silentLogger,
      program: join(folder, 'no-ffmpeg-here'),
    },
  );
  const images = source.open(new AbortController().signal)[Symbol.asyncIterator]();
  await expect(images.next()).rejects.toMatchObject({ code: 'program-missing' });
});

test('sizes follow a stream that changes its resolution on the way', async () => {
  const parts = await Promise.all(
    ['320x180', '180x320'].map(async (size, index) => {
      const path = join(folder, `part${index}.ts`);
      await makeTestClip(path, { size, seconds: 1 });
      return await readFile(path);
    }),
  );
  const changing = join(folder, 'changing.ts');
  await writeFile(changing, Buffer.concat(parts));
  const camera = recordCamera({ url: changing });
  await camera.done;
  const sizes = camera.frames.map(({ image }) => `${image.sourceWidth}x${image.sourceHeight}`);
  expect(new Set(sizes)).toEqual(new Set(['320x180', '180x320']));
  for (const { image } of camera.frames) {
    // The test picture is colourful where it is, and the border is grey.
    const { x, y, width, height } = image.content;
    const isGrey = (column: number, row: number) => {
      const at = (row * INPUT.width + column) * 3;
      return image.pixels.subarray(at, at + 3).every((value) => value === 127);
    };
    expect([isGrey(0, 0), isGrey(415, 415)]).toEqual([true, true]);
    const edge = Array.from({ length: 50 }, (_, index) => isGrey(x + index, y + index));
    expect(edge).toContain(false);
    expect(isGrey(x + width - 1, y + height - 1) && isGrey(x, y)).toBe(false);
  }
});

test('a reader that is slow gets new pictures, and few wait for it', async () => {
  const source = createFfmpegSource(
    { kind: 'ffmpeg', url: clips.wide ?? '', loop: true },
    { input: INPUT, framesPerSecond: 10, clock: systemClock, logger: silentLogger },
  );
  const agesMs: number[] = [];
  for await (const image of source.open(new AbortController().signal)) {
    agesMs.push((systemClock.nowUs() - image.captureTimeUs) / 1000);
    if (agesMs.length === 4) break;
    await systemClock.sleep(1_000);
  }
  // Ten pictures came meanwhile; had they queued, the last one would be some 2.7 s old.
  expect(agesMs.at(-1)).toBeLessThan(2_000);
});

test('ffmpeg ends when the process that reads from it is killed', async () => {
  const program = `
    import { createFfmpegSource } from '#producers/camera/sources/ffmpeg.ts';
    import { systemClock } from '#runtime/clock.ts';
    import { silentLogger } from '#runtime/log.ts';
    const source = createFfmpegSource(
      { kind: 'ffmpeg', url: ${JSON.stringify(clips.wide)}, loop: true },
      {
        input: ${JSON.stringify(INPUT)},
        framesPerSecond: 5,
        clock: systemClock,
        logger: silentLogger,
      },
    );
    for await (const image of source.open(new AbortController().signal)) {
      process.stdout.write('a picture');
    }
  `;
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], {
    cwd: join(import.meta.dirname, '../../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(parent.stdout, 'data');
  parent.stdout.resume();
  const children = await ffmpegsReading(clips.wide ?? '');
  parent.kill('SIGKILL');
  await once(parent, 'exit');
  expect(children).toHaveLength(1);
  let left = children;
  const endMs = systemClock.monotonicMs() + 10_000;
  while (left.length > 0 && systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(100);
    left = await ffmpegsReading(clips.wide ?? '');
  }
  expect(left).toEqual([]);
});

/** Ids of the ffmpeg processes that have `path` on their command line. */
async function ffmpegsReading(path: string): Promise<string[]> {
  const list = spawn('ps', ['-eo', 'pid=,comm=,args='], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  list.stdout.on('data', (chunk) => {
    text += String(chunk);
  });
  await once(list, 'close');
  return text.split('\n').flatMap((line) => {
    const [id = '', command = ''] = line.trim().split(/\s+/);
    return command === 'ffmpeg' && line.includes(path) ? [id] : [];
  });
}
