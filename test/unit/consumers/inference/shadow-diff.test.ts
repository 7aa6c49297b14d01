import { describe, expect, it } from 'vitest';
import { diffFindings } from '#consumers/inference/shadow-diff.ts';
import type { Box } from '#schemas/result.ts';
import { encodeRle } from '#schemas/rle.ts';

function boxes(...all: readonly (readonly [string, number, Box])[]) {
  const detections = all.map(([label, score, box]) => ({ classId: 0, label, score, box }));
  return { task: 'detection', detections } as const;
}

function labels(...all: readonly (readonly [string, number])[]) {
  const classifications = all.map(([label, score]) => ({ classId: 0, label, score }));
  return { task: 'classification', classifications } as const;
}

function masks(...all: readonly (readonly [string, readonly string[]])[]) {
  return {
    task: 'segmentation',
    masks: all.map(([label, rows]) => {
      const [height, width] = [rows.length, rows[0]?.length ?? 0];
      const cells = Uint8Array.from([...rows.join('')].map((cell) => (cell === '#' ? 1 : 0)));
      const mask = { height, width, counts: encodeRle(cells, height, width) };
      return { classId: 0, label, areaFraction: 0, mask };
    }),
  } as const;
}

const LEFT: Box = [0, 0, 0.5, 1];
const RIGHT: Box = [0.5, 0, 1, 1];

describe('detections', () => {
  it('of one label that overlap enough are the same object', () => {
    const live = boxes(['car', 0.75, LEFT], ['dog', 0.5, RIGHT]);
    const wider: Box = [0, 0, 0.625, 1];
    const shadow = boxes(['car', 0.5, wider], ['cat', 0.5, RIGHT]);
    expect(diffFindings(live, shadow)).toEqual({
      ...{ live_boxes: 2, shadow_boxes: 2, matched: 1 },
      ...{ iou: 0.8, score_diff: 0.25 },
    });
  });

  it('overlap too little with an IoU below 0.5', () => {
    const [half, less]: Box[] = [
      [0, 0, 0.5, 0.5],
      [0, 0, 0.5, 0.49],
    ];
    const live = boxes(['car', 1, LEFT]);
    expect(diffFindings(live, boxes(['car', 1, half ?? LEFT]))).toMatchObject({ matched: 1 });
    expect(diffFindings(live, boxes(['car', 1, less ?? LEFT]))).toMatchObject({ matched: 0 });
  });

  it('are matched once, each with the best that is left', () => {
    const near: Box = [0, 0, 0.5, 0.75];
    const live = boxes(['car', 1, near], ['car', 1, LEFT]);
    const shadow = boxes(['car', 1, LEFT], ['car', 1, LEFT], ['car', 1, LEFT]);
    expect(diffFindings(live, shadow)).toMatchObject({ matched: 2, iou: 1.75 });
  });

  it('may all be missing', () => {
    const none = { live_boxes: 0, shadow_boxes: 0, matched: 0, iou: 0, score_diff: 0 };
    expect(diffFindings(boxes(), boxes())).toEqual(none);
  });
});

describe('classifications', () => {
  it('agree in their best label, and in those that both name', () => {
    const live = labels(['day', 0.75], ['rain', 0.25]);
    expect(diffFindings(live, labels(['day', 0.5], ['snow', 0.25]))).toEqual({
      ...{ compared: 1, top1: 1, overlap: 0.5, score_diff: 0.25 },
    });
    expect(diffFindings(live, labels(['rain', 0.5], ['day', 0.5]))).toEqual({
      ...{ compared: 1, top1: 0, overlap: 1, score_diff: 0.25 },
    });
  });

  it('differ by all of the score where the other does not name it', () => {
    expect(diffFindings(labels(['day', 0.75]), labels())).toEqual({
      ...{ compared: 1, top1: 0, overlap: 0, score_diff: 0.75 },
    });
    expect(diffFindings(labels(), labels(['day', 0.75]))).toMatchObject({ top1: 0 });
  });

  it('are not compared where neither names any', () => {
    const none = { compared: 0, top1: 0, overlap: 0, score_diff: 0 };
    expect(diffFindings(labels(), labels())).toEqual(none);
  });
});

describe('masks', () => {
  it('of a label that only one has count with an overlap of nothing', () => {
    const live = masks(['road', ['##..']], ['tree', ['..##']]);
    const shadow = masks(['road', ['###.']], ['sky', ['...#']]);
    expect(diffFindings(live, shadow)).toEqual({ classes: 3, iou: 2 / 3 });
  });

  it('may have different resolutions', () => {
    const fine = masks(['road', ['##..', '##..']]);
    expect(diffFindings(fine, masks(['road', ['#.']]))).toEqual({ classes: 1, iou: 1 });
    expect(diffFindings(fine, masks(['road', ['#.', '..']]))).toEqual({ classes: 1, iou: 0.5 });
  });
});

it('findings of different tasks are no pair', () => {
  expect(() => diffFindings(boxes(), labels())).toThrow('classification beside one of detection');
});
