import { expect, it } from 'vitest';
import { LIMITS } from '#runtime/limits.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodePreview, encodePreview } from '#schemas/preview.ts';
import { topicTable } from '#schemas/topics.ts';
import { PREVIEW } from './samples.ts';

const framing = singleObjectFraming();

function jpegOf(length: number): Uint8Array {
  const jpeg = new Uint8Array(length);
  jpeg.set(PREVIEW.jpeg);
  return jpeg;
}

it.each([
  [{ width: 0 }, 'picture size 0x180 is not positive'],
  [{ height: LIMITS.previewSideMax + 1 }, 'picture size 320x321 is over 320 pixels'],
  [{ captureTimeUs: -1 }, 'capture_time_us -1 is negative'],
  [{ cameraId: 'gate/2' }, 'camera_id'],
  [{ jpeg: jpegOf(LIMITS.previewJpegBytesMax + 1) }, `jpeg has ${32 * 1024 + 1} bytes`],
  [{ jpeg: Uint8Array.of(0x89, 0x50, 0x4e, 0x47) }, 'jpeg is none'],
  [{ jpeg: new Uint8Array() }, 'jpeg is none'],
])('%j is refused', (change, says) => {
  expect(() => encodePreview({ ...PREVIEW, ...change }, framing)).toThrow(says);
});

it('the largest is below what its topic takes, and comes back without the record', () => {
  const jpeg = jpegOf(LIMITS.previewJpegBytesMax);
  const cameraId = 'x'.repeat(LIMITS.cameraIdLengthMax);
  const record = encodePreview({ ...PREVIEW, cameraId, jpeg }, framing);
  const { settings } = topicTable().previews;
  // Kafka's own beside a value: the key, and some bytes of the batch.
  expect(record.length + cameraId.length + 256).toBeLessThan(Number(settings['max.message.bytes']));
  const back = decodePreview(record, framing);
  expect(back.jpeg.buffer).not.toBe(record.buffer);
  expect(Buffer.from(back.jpeg).equals(jpeg)).toBe(true);
});
