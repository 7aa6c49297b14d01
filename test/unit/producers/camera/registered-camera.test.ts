import { expect, it } from 'vitest';
import { readRegisteredCamera } from '#producers/camera/registered-camera.ts';
import type { WantedCamera, WantedRate } from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS } from '#schemas/result.ts';
import { wanted } from '#test/contract/registry.ts';

const PASSWORD = 's3cret';

function read(changes: Partial<WantedCamera>, ratePoint?: string, rate: WantedRate = {}) {
  const reader = {
    folder: '/etc/halfsight',
    lookup: (name: string) => {
      if (name === 'TWICE') throw new HalfsightError('settings-invalid', 'TWICE is set twice.');
      return name === 'PASSWORD' ? PASSWORD : undefined;
    },
    ratePoint,
    rate,
    offered: {
      ...{ defaultRatePoint: 1, ratePoints: ['fine', 'medium', 'coarse'].map(rateOf) },
      heads: TASKS.map((task) => ({ task })),
    },
  };
  return readRegisteredCamera({ ...wanted('gate', changes), version: 7 }, reader);
}

function rateOf(name: string, index: number) {
  return { index, name };
}

it('is read as the same camera in a file is', () => {
  const source = `rtsp://viewer:\${PASSWORD}@gate/1`;
  expect(read({ source, framesPerSecond: 8 })).toEqual({
    settings: {
      id: 'gate',
      source: { kind: 'ffmpeg', url: `rtsp://viewer:${PASSWORD}@gate/1`, loop: false },
      framesPerSecond: 8,
      ratePoint: undefined,
      rate: undefined,
      heads: undefined,
      traceSampleRatio: undefined,
      enabled: true,
    },
    heads: null,
    bounds: {
      ...{ finest: 1, coarsest: 2, framesPerSecondMax: 8, framesPerSecondMin: 1 },
      ...{ bytesPerSecondMax: Infinity, adaptive: true },
      bytesPerFrameMax: LIMITS.bitstreamBytesMaxDefault,
    },
  });
  expect(read({ source: 'clips/a.mp4' })).toMatchObject({
    settings: { source: { url: '/etc/halfsight/clips/a.mp4' } },
  });
});

it("has its own rate point, else the agent's, else the bundle's", () => {
  expect(read({ ratePoint: 'fine' }, 'coarse')).toMatchObject({ bounds: { finest: 0 } });
  expect(read({ ratePoint: 2 })).toMatchObject({ bounds: { finest: 2, coarsest: 2 } });
  expect(read({}, 'coarse')).toMatchObject({ bounds: { finest: 2 } });
  expect(read({})).toMatchObject({ bounds: { finest: 1 } });
});

it('lets no picture leave, unless it says so', () => {
  const preview = { everySeconds: 30, width: 160 };
  expect(read({ preview })).toMatchObject({ settings: { preview } });
  expect(read({})).toMatchObject({ settings: { preview: undefined } });
});

it('has the heads that it names, each once, in the order of the bundle', () => {
  const heads = ['segmentation', 'detection', 'segmentation'];
  expect(read({ heads })).toMatchObject({ heads: ['detection', 'segmentation'] });
});

it("has the agent's bounds where it says none of its own", () => {
  const rate = { bytesPerSecondMax: 2_000, framesPerSecondMin: 6, coarsest: 'medium' };
  expect(read({ framesPerSecond: 5, rate })).toMatchObject({
    bounds: { finest: 1, coarsest: 1, framesPerSecondMin: 5, bytesPerSecondMax: 2_000 },
  });
  expect(read({ rate: { adaptive: false } }, undefined, rate)).toMatchObject({
    bounds: { coarsest: 1, bytesPerSecondMax: 2_000, adaptive: false },
  });
});

it.each([
  [{ source: `rtsp://u:\${MISSING}@gate/1` }, 'source: environment variable MISSING is not set'],
  [{ source: `rtsp://u:\${TWICE}@gate/1` }, 'source: TWICE is set twice.'],
  [{ source: `rtsp://u:\${PASSWORD}@` }, 'source: is no rtsp://host/path URL'],
  [{ source: 'synthetic:stret' }, 'source: names no scene: "stret"; did you mean "street"?'],
  [
    { rate: { coarsest: 'bad' } },
    'rate.coarsest: "bad" is no rate point of the bundle: fine (0), medium (1), coarse (2)',
  ],
  [
    { heads: ['detection', 'pose'] },
    'heads: "pose" is no head of the bundle: classification, detection, segmentation',
  ],
  [{ heads: [] }, 'heads: must name at least one head; leave it out for all of them'],
  [
    { ratePoint: 'best' },
    'ratePoint: "best" is no rate point of the bundle: fine (0), medium (1), coarse (2)',
  ],
])('says what is wrong, and no password: %j', (changes, problem) => {
  expect(read(changes)).toEqual({ problem });
});
