import { beforeAll, expect, it } from 'vitest';
import { inferenceSettings } from '#consumers/inference/settings.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { LIMITS } from '#runtime/limits.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

let bundle: Bundle;
beforeAll(async () => {
  bundle = await loadBundle(TINY_BUNDLE);
});

it('runs every head of the bundle unless told otherwise', () => {
  const settings = inferenceSettings(readEnvironment({}), bundle);
  expect(settings.engine.heads).toEqual(['classification', 'detection', 'segmentation']);
  expect(settings.topics.frames.name).toBe('halfsight.camera.frame.v1');
  expect(settings.batchFramesMax).toBe(LIMITS.batchFramesCpuMax);
});

it('runs the heads that are named, in the order of the bundle', () => {
  const environment = readEnvironment({
    HALFSIGHT_HEADS: 'segmentation, classification',
    HALFSIGHT_PROVIDER: 'cuda',
    KAFKA_TOPIC_PREFIX: 'site-7',
  });
  const settings = inferenceSettings(environment, bundle);
  expect(settings.engine.heads).toEqual(['classification', 'segmentation']);
  expect(settings.topics.results.detection.name).toBe('site-7.result.detection.v1');
  expect(settings.batchFramesMax).toBe(LIMITS.batchFramesMax);
});

it('refuses a head that the bundle does not have, and says which it has', () => {
  const environment = readEnvironment({ HALFSIGHT_HEADS: 'detection,pose' });
  expect(() => inferenceSettings(environment, bundle)).toThrowError(
    expect.objectContaining({
      code: 'settings-invalid',
      message: expect.stringContaining('"pose"'),
      advice: 'It has classification, detection, segmentation.',
    }),
  );
});
