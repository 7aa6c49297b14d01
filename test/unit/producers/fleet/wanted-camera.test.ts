import { describe, expect, it } from 'vitest';
import { checkCamera } from '#producers/fleet/wanted-camera.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';

describe('a wanted camera', () => {
  it.each([
    ['as it usually is', {}],
    ['with everything', { ratePoint: 'fine', labels: { site: 'a/b' }, heads: ['detect'] }],
    ['with a ratio of traces', { traceSampleRatio: 0 }],
    ['with bounds', { rate: { adaptive: false, bytesPerSecondMax: 2_000, coarsest: 3 } }],
    ['with previews', { preview: { everySeconds: 5, width: 320 } }],
    ['disabled, by index', { enabled: false, ratePoint: 0 }],
  ])('is right %s', (_, changes) => {
    expect(() => checkCamera(wanted('gate', changes))).not.toThrow();
  });

  it.each([
    ['source', { source: 'x'.repeat(LIMITS.cameraSourceLengthMax + 1) }],
    ['framesPerSecond', { framesPerSecond: Number.NaN }],
    ['framesPerSecond', { framesPerSecond: LIMITS.framesPerSecondMax + 1 }],
    ['ratePoint', { ratePoint: -1 }],
    ['ratePoint', { ratePoint: 'a b' }],
    ['rate.coarsest', { rate: { coarsest: 'a b' } }],
    ['rate.bytesPerSecondMax', { rate: { bytesPerSecondMax: 1 } }],
    ['rate.bytesPerFrameMax', { rate: { bytesPerFrameMax: LIMITS.frameRecordBytesMax } }],
    ['labels', { labels: { 'a b': 'c' } }],
    ['heads', { heads: [''] }],
    ['heads', { heads: [] }],
    ['traceSampleRatio', { traceSampleRatio: 1.1 }],
    ['preview.everySeconds', { preview: { everySeconds: 4, width: 160 } }],
    ['preview.everySeconds', { preview: { width: 160 } as never }],
    ['preview.width', { preview: { everySeconds: 5, width: 160.5 } }],
    ['preview.width', { preview: { everySeconds: 5, width: LIMITS.previewSideMax + 1 } }],
    ['traceSampleRatio', { traceSampleRatio: -0.1 }],
    ['heads', { heads: new Array(LIMITS.headsPerCameraMax + 1).fill('detect') }],
  ])('is wrong with another %s', (part, changes) => {
    expect(() => checkCamera(wanted('gate', changes))).toThrow(`camera "gate": ${part} must`);
  });
});
