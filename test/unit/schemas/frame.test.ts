import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameId, isCameraId, parseFrameId } from '#schemas/frame.ts';

describe('frame ids', () => {
  it('come back, also when the camera id has dashes and digits', () => {
    const cameraId = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/);
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    fc.assert(
      fc.property(cameraId, count, count, (id, epoch, sequence) => {
        const identity = { cameraId: id, epoch, sequence };
        expect(parseFrameId(frameId(identity))).toEqual(identity);
      }),
    );
  });

  it('are refused when they are none', () => {
    for (const text of ['', 'a', 'a-1', '-1-2', 'a-1-x', 'a-01-2', 'a b-1-2', `a-1-${2 ** 60}`]) {
      expect(parseFrameId(text), text).toBeUndefined();
    }
  });

  it('camera ids have 1 to 64 plain characters', () => {
    expect(isCameraId('A.z_9-')).toBe(true);
    for (const text of ['', 'x'.repeat(65), 'a/b', 'a b', 'é', 'a\n']) {
      expect(isCameraId(text), text).toBe(false);
    }
  });
});
