import { describe, expect, it } from 'vitest';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeHeadShadow, figuresOf, headShadowKey } from '#schemas/head-shadow.ts';
import { HEAD_SHADOW } from './samples.ts';

describe('what sums say', () => {
  it('of detection', () => {
    const sums = {
      ...{ live_boxes: 4, shadow_boxes: 5, matched: 3, iou: 2.4, score_diff: 0.3 },
      ...{ live_ms: 20, shadow_ms: 30 },
    };
    expect(figuresOf({ task: 'detection', frames: 10, sums })).toEqual({
      ...{ precision: 0.6, recall: 0.75, F1: 6 / 9 },
      ...{ 'mean IoU': 2.4 / 3, 'score diff': 0.3 / 3, 'live ms': 2, 'shadow ms': 3 },
    });
  });

  it('of classification', () => {
    const sums = { compared: 4, top1: 3, overlap: 2, score_diff: 1, live_ms: 4, shadow_ms: 4 };
    expect(figuresOf({ task: 'classification', frames: 4, sums })).toEqual({
      ...{ 'top-1': 0.75, 'top-k overlap': 0.5, 'score diff': 0.25 },
      ...{ 'live ms': 1, 'shadow ms': 1 },
    });
  });

  it('of segmentation', () => {
    const sums = { classes: 4, iou: 3, live_ms: 2, shadow_ms: 6 };
    const figures = { 'mean IoU': 0.75, 'live ms': 1, 'shadow ms': 3 };
    expect(figuresOf({ task: 'segmentation', frames: 2, sums })).toEqual(figures);
  });

  it('leaves out what nothing is known of', () => {
    expect(figuresOf({ task: 'detection', frames: 0, sums: {} })).toEqual({});
    const sums = { live_boxes: 2, shadow_boxes: 0, matched: 0 };
    const figures = figuresOf({ task: 'detection', frames: 1, sums });
    expect(Object.keys(figures)).toEqual(['recall', 'F1', 'live ms', 'shadow ms']);
  });
});

it('each pair of heads of each consumer has a key of its own', () => {
  const others = [
    HEAD_SHADOW,
    { ...HEAD_SHADOW, task: 'segmentation' as const },
    { ...HEAD_SHADOW, liveVersion: '0' },
    { ...HEAD_SHADOW, liveDigest: 'cd'.repeat(32) },
    { ...HEAD_SHADOW, shadowVersion: '3' },
    { ...HEAD_SHADOW, shadowDigest: 'cd'.repeat(32) },
    { ...HEAD_SHADOW, consumer: 'another' },
  ];
  expect(new Set(others.map(headShadowKey)).size).toBe(others.length);
  expect(headShadowKey({ ...HEAD_SHADOW, frames: 1, timeUs: 1 })).toBe(headShadowKey(HEAD_SHADOW));
});

it.each([
  [{ task: 'ocr' as never }, 'task "ocr" is unknown'],
  [{ frames: -1 }, 'counters "frames" is -1'],
  [{ sums: { iou: Number.NaN } }, 'sums "iou" is NaN'],
])('%j is refused', (change, says) => {
  const encode = () => encodeHeadShadow({ ...HEAD_SHADOW, ...change }, singleObjectFraming());
  expect(encode).toThrow(says);
});
