import { describe, expect, it } from 'vitest';
import { BatchFill } from '#consumers/dashboard/batch-fill.ts';
import { LIMITS } from '#runtime/limits.ts';
import { classification, detection } from '../subscriber/results.ts';

const NOW_MS = 1_700_000_000_000;

describe('BatchFill', () => {
  it('is the mean of what was finished together, of batches whose results come mixed', () => {
    const fill = new BatchFill();
    expect(fill.mean(NOW_MS)).toBeNull();
    for (const inferTimeUs of [7, 9, 7, 8, 9, 7]) {
      fill.add(detection([], { inferTimeUs }), NOW_MS);
    }
    expect(fill.mean(NOW_MS)).toBe(2);
  });

  it('is told by the head with the fullest batches; heads that did not run tell nothing', () => {
    const fill = new BatchFill();
    for (const status of ['shed', 'unwanted', 'unknown'] as const) {
      fill.add(detection([], { status, inferTimeUs: 5 }), NOW_MS);
    }
    expect(fill.mean(NOW_MS)).toBeNull();
    fill.add(detection([], { inferTimeUs: 5 }), NOW_MS);
    for (let frame = 0; frame < 4; frame++) {
      fill.add({ ...classification([]), inferTimeUs: 5 }, NOW_MS);
    }
    expect(fill.mean(NOW_MS)).toBe(4);
  });

  it('is of the last minute', () => {
    const fill = new BatchFill();
    for (let frame = 0; frame < 8; frame++) fill.add(detection([], { inferTimeUs: 1 }), NOW_MS);
    const laterMs = NOW_MS + LIMITS.wallBatchWindowMs - 1;
    fill.add(detection([], { inferTimeUs: 2 }), laterMs);
    expect(fill.mean(laterMs)).toBe(4.5);
    expect(fill.mean(laterMs + 1)).toBe(1);
    expect(fill.mean(laterMs + LIMITS.wallBatchWindowMs)).toBeNull();
  });

  it('remembers so many batches, and takes an older one for another', () => {
    const fill = new BatchFill();
    const max = LIMITS.wallBatchesMax;
    const enter = (inferTimeUs: number) => fill.add(detection([], { inferTimeUs }), NOW_MS);
    for (let batch = 0; batch < max; batch++) enter(batch);
    for (let batch = 0; batch < max; batch++) enter(batch);
    expect(fill.mean(NOW_MS)).toBe(2);
    for (let batch = max; batch < 2 * max; batch++) enter(batch);
    enter(0);
    expect(fill.mean(NOW_MS)).toBe((3 * max + 1) / (2 * max + 1));
  });
});
