import { expect, test } from 'vitest';
import type { Image } from '#producers/camera/image.ts';
import { createSource } from '#producers/camera/sources/create.ts';
import type { Clock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';

const INPUT = { width: 64, height: 64, fill: [127, 127, 127] } as const;

/** A clock on which drawing takes no time and sleeping is instant. */
function instantClock(onSleep: (ms: number) => number = (ms) => ms): Clock {
  let ms = 0;
  return {
    nowUs: () => ms * 1000,
    monotonicMs: () => ms,
    sleep: (wanted) => {
      ms += Math.max(0, onSleep(wanted));
      return Promise.resolve();
    },
    after: () => () => undefined,
    every: () => () => undefined,
    turn: () => Promise.resolve(),
  };
}

async function images(count: number, clock: Clock, scene = 'plaza'): Promise<Image[]> {
  const source = createSource(
    { kind: 'synthetic', scene, seed: 5, width: 1280, height: 720 },
    { input: INPUT, framesPerSecond: 5, clock, logger: silentLogger },
  );
  const abort = new AbortController();
  const taken: Image[] = [];
  for await (const image of source.open(abort.signal)) {
    taken.push(image);
    if (taken.length === count) abort.abort();
  }
  return taken;
}

test('pictures come at the frame rate, letterboxed, with a border of the fill colour', async () => {
  const taken = await images(3, instantClock());
  expect(taken.map((image) => image.captureTimeUs)).toEqual([0, 200_000, 400_000]);
  expect(taken[0]).toMatchObject({
    timeSource: 'synthetic',
    sourceWidth: 1280,
    sourceHeight: 720,
    content: { x: 0, y: 14, width: 64, height: 36 },
  });
  const border = taken[0]?.pixels.subarray(0, 14 * 64 * 3) ?? new Uint8Array();
  expect(border.every((value) => value === 127)).toBe(true);
  const first = taken[0]?.pixels.subarray(14 * 64 * 3, 50 * 64 * 3) ?? new Uint8Array();
  expect(new Set(first).size).toBeGreaterThan(30);
});

test('a slow host skips frames, and shows each at its own time', async () => {
  const quick = await images(4, instantClock());
  let sleeps = 0;
  // The second sleep takes 400 ms longer than it should: frames 1 and 2 are late.
  const slow = await images(
    2,
    instantClock((ms) => (++sleeps === 2 ? ms + 400 : ms)),
  );
  expect(slow[0]?.pixels).toEqual(quick[0]?.pixels);
  const third = await images(3, instantClock());
  expect(third[1]?.pixels).toEqual(quick[1]?.pixels);
  expect(slow[1]?.captureTimeUs).toBe(600_000);
});

test('a test card has its bars in order of luminance, and moves', async () => {
  const [first, second] = await images(2, instantClock(), 'test-card');
  const middle = first?.pixels.subarray(32 * 64 * 3, 33 * 64 * 3) ?? new Uint8Array();
  const colours = Array.from({ length: 64 }, (_, x) => [...middle.subarray(x * 3, x * 3 + 3)]);
  const bars = colours.filter((colour, x) => String(colour) !== String(colours[x - 1]));
  const luminances = bars.map(([red = 0, green = 0, blue = 0]) => {
    return 0.299 * red + 0.587 * green + 0.114 * blue;
  });
  expect(bars).toHaveLength(7);
  expect(luminances).toEqual(luminances.toSorted((a, b) => b - a));
  expect(first?.pixels[0]).toBe(127);
  expect(second?.pixels).not.toEqual(first?.pixels);
});

test('an unknown scene is refused, with what there is', () => {
  expect(() =>
    createSource(
      { kind: 'synthetic', scene: 'moon', seed: 1, width: 64, height: 64 },
      { input: INPUT, framesPerSecond: 5, clock: instantClock(), logger: silentLogger },
    ),
  ).toThrow(expect.objectContaining({ code: 'source-invalid' }));
});
