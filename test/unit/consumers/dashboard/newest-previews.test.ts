import { expect, it } from 'vitest';
import { NewestPreviews } from '#consumers/dashboard/newest-previews.ts';
import { Telemetry } from '#consumers/dashboard/telemetry.ts';
import { Wall } from '#consumers/dashboard/wall.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Preview } from '#schemas/preview.ts';
import { CAMERA_STATUS } from '../../schemas/samples.ts';

const NOW_MS = 1_700_000_000_000;

function previewOf(cameraId: string, changes: Partial<Preview> = {}): Preview {
  const jpeg = new Uint8Array(LIMITS.previewJpegBytesMax);
  return { cameraId, captureTimeUs: NOW_MS * 1000, width: 160, height: 90, jpeg, ...changes };
}

it('keeps the one that came last, and forgets it when Kafka does', () => {
  const previews = new NewestPreviews();
  previews.enter(previewOf('gate', { captureTimeUs: 2 }), NOW_MS);
  previews.enter(previewOf('gate', { captureTimeUs: 1 }), NOW_MS + 10);
  expect(previews.of('gate', NOW_MS + 10)?.captureTimeUs).toBe(1);
  expect(previews.bytes).toBe(LIMITS.previewJpegBytesMax);
  const endMs = NOW_MS + 10 + LIMITS.previewRetentionMs;
  previews.enter(previewOf('yard'), endMs - 5);
  expect(previews.of('gate', endMs - 1)).toBeDefined();
  previews.forgetOld(endMs);
  expect(previews.bytes).toBe(LIMITS.previewJpegBytesMax);
  expect(previews.of('gate', endMs)).toBeUndefined();
  expect(previews.of('yard', endMs)).toBeDefined();
  expect(previews.evicted).toBe(0);
});

it('holds so many bytes at most: the oldest go first', () => {
  const previews = new NewestPreviews();
  const most = LIMITS.wallPreviewBytesMax / LIMITS.previewJpegBytesMax;
  for (let index = 0; index < most; index++) previews.enter(previewOf(`c${index}`), NOW_MS);
  previews.enter(previewOf('c0'), NOW_MS + 1);
  previews.enter(previewOf('more'), NOW_MS + 2);
  expect(previews.bytes).toBe(LIMITS.wallPreviewBytesMax);
  expect(previews.evicted).toBe(1);
  expect(previews.of('c1', NOW_MS + 2)).toBeUndefined();
  for (const kept of ['c0', 'c2', 'more']) expect(previews.of(kept, NOW_MS + 2)).toBeDefined();
});

it('a wall has pictures of cameras alone that say that they send them', () => {
  const telemetry = new Telemetry();
  const wall = new Wall(telemetry, NOW_MS);
  const status = (sendsPictures: boolean, timeUs: number) => {
    wall.status({ ...CAMERA_STATUS, cameraId: 'gate', sendsPictures, timeUs }, NOW_MS);
  };
  const preview = () => wall.camera('gate', NOW_MS)?.preview;
  wall.preview(previewOf('nobody'), NOW_MS);
  status(false, 1);
  wall.preview(previewOf('gate'), NOW_MS);
  expect(preview()).toBeNull();
  status(true, 2);
  wall.preview(previewOf('gate'), NOW_MS);
  expect(preview()).toEqual({ captureTimeUs: NOW_MS * 1000, width: 160, height: 90 });
  expect(wall.fleet(NOW_MS).cameras.sendPictures).toBe(1);
  status(true, 3);
  expect(preview()).not.toBeNull();
  // Its leave is gone, and with it what it had sent.
  status(false, 4);
  expect(preview()).toBeNull();
  expect(wall.camera('gate', NOW_MS)?.camera.sendsPictures).toBe(false);
  expect(wall.fleet(NOW_MS).cameras.sendPictures).toBe(0);
  const counted = telemetry.families().find(({ name }) => name.includes('previews_unannounced'));
  expect(counted).toMatchObject({ samples: [{ value: 2 }] });
});

it('a wall that nobody asks forgets pictures all the same', () => {
  const wall = new Wall(new Telemetry(), NOW_MS);
  wall.status({ ...CAMERA_STATUS, cameraId: 'gate' }, NOW_MS);
  wall.preview(previewOf('gate'), NOW_MS);
  expect(wall.previews.bytes).toBeGreaterThan(0);
  wall.fleet(NOW_MS + LIMITS.previewRetentionMs);
  expect(wall.previews.bytes).toBe(0);
});
