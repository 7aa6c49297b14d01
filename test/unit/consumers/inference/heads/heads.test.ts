import { describe, expect, it } from 'vitest';
import { classification } from '#consumers/inference/heads/classification.ts';
import { detection, iou, suppress, toSource } from '#consumers/inference/heads/detection.ts';
import type { FrameGeometry, HeadOutputs } from '#consumers/inference/heads/head.ts';
import { contentCells, segmentation } from '#consumers/inference/heads/segmentation.ts';
import type {
  ClassificationHead,
  DetectionHead,
  Head as HeadSpec,
  SegmentationHead,
} from '#models/manifest.ts';
import { LIMITS } from '#runtime/limits.ts';
import { decodeRle } from '#schemas/rle.ts';

/** A 4:3 picture in a 416 x 416 input: bars of 52 above and below. */
const GEOMETRY: FrameGeometry = {
  inputWidth: 416,
  inputHeight: 416,
  content: { x: 0, y: 52, width: 416, height: 312 },
};

type Tensors = HeadOutputs<HeadSpec>['tensors'];

const BASE = { version: '1', file: 'f', inputs: [], labels: 'l' };
const CLASSIFICATION: ClassificationHead = {
  ...BASE,
  task: 'classification',
  outputs: { probabilities: 'p' },
  topK: 2,
};
const DETECTION: DetectionHead = {
  ...BASE,
  task: 'detection',
  outputs: { boxes: 'b', scores: 's', classes: 'c' },
  scoreMin: 0.3,
  iouMax: 0.5,
};
const SEGMENTATION: SegmentationHead = {
  ...BASE,
  task: 'segmentation',
  outputs: { classMap: 'm' },
  background: 0,
};

function outputs<Spec extends HeadSpec>(
  spec: Spec,
  tensors: Tensors,
  labels: readonly string[] = ['a', 'b', 'c'],
): HeadOutputs<Spec> {
  return { spec, labels, tensors };
}

describe('classification', () => {
  const probabilities = {
    dims: [2, 3],
    data: Float32Array.of(0.125, 0.25, 0.625, 1.0000001, 0.5, 0.5),
  };

  it('gives the best, best first, of the frame that is asked for', () => {
    expect(classification.read(outputs(CLASSIFICATION, { p: probabilities }), 0, GEOMETRY)).toEqual(
      {
        task: 'classification',
        classifications: [
          { classId: 2, label: 'c', score: 0.625 },
          { classId: 1, label: 'b', score: 0.25 },
        ],
      },
    );
  });

  it('keeps scores within 0 to 1 and breaks ties by class id', () => {
    expect(
      classification.read(outputs(CLASSIFICATION, { p: probabilities }), 1, GEOMETRY),
    ).toMatchObject({
      classifications: [
        { classId: 0, score: 1 },
        { classId: 1, score: 0.5 },
      ],
    });
  });

  it('names a class without a label', () => {
    const finding = classification.read(
      outputs(CLASSIFICATION, { p: probabilities }, []),
      0,
      GEOMETRY,
    );
    expect(finding).toMatchObject({
      classifications: [{ label: 'class-2' }, { label: 'class-1' }],
    });
  });
});

describe('detection', () => {
  const detect = (
    rows: readonly (readonly [number, number, number, number, number, number])[],
    geometry = GEOMETRY,
  ) => {
    const finding = detection.read(
      outputs(DETECTION, {
        b: {
          dims: [1, rows.length, 4],
          data: Float32Array.from(rows.flatMap((r) => r.slice(0, 4))),
        },
        s: { dims: [1, rows.length], data: Float32Array.from(rows.map((r) => r[4])) },
        c: { dims: [1, rows.length], data: Int32Array.from(rows.map((r) => r[5])) },
      }),
      0,
      geometry,
    );
    return finding.task === 'detection' ? finding.detections : [];
  };

  it('places a box in the source picture, without the bars', () => {
    // The upper left quarter of the picture.
    expect(detect([[0, 52, 208, 208, 0.5, 1]])).toEqual([
      { classId: 1, label: 'b', score: 0.5, box: [0, 0, 0.5, 0.5] },
    ]);
  });

  it('clips a box that reaches into the bars and leaves out one that lies in them', () => {
    const found = detect([
      [-20, 0, 208, 208, 0.5, 1],
      [10, 0, 60, 50, 0.9, 1],
    ]);
    expect(found.map(({ box }) => box)).toEqual([[0, 0, 0.5, 0.5]]);
  });

  it('leaves out weak, unordered and unreal boxes', () => {
    expect(
      detect([
        [0, 52, 208, 208, 0.29, 0],
        [208, 208, 0, 52, 0.9, 0],
        [Number.NaN, 52, 208, 208, 0.9, 0],
        [0, 52, Number.POSITIVE_INFINITY, 208, 0.9, 0],
        [0, 52, 208, 208, Number.NaN, 0],
      ]),
    ).toEqual([]);
  });

  it('keeps the better of two boxes of one class, and both of two classes', () => {
    const found = detect([
      [0, 52, 200, 208, 0.5, 1],
      [0, 52, 208, 208, 0.75, 1],
      [0, 52, 204, 208, 0.625, 2],
    ]);
    expect(found.map(({ classId, score }) => [classId, score])).toEqual([
      [1, 0.75],
      [2, 0.625],
    ]);
  });

  it('is bounded, and what is left out is the weakest', () => {
    const rows = Array.from({ length: 300 }, (_, index) => {
      const x = (index % 20) * 20;
      const y = 52 + Math.floor(index / 20) * 20;
      return [x, y, x + 18, y + 18, 0.4 + index / 1000, 0] as const;
    });
    const found = detect(rows);
    expect(found).toHaveLength(LIMITS.detectionsPerFrameMax);
    expect(found[0]?.score).toBeCloseTo(0.699);
    expect(found.at(-1)?.score).toBeCloseTo(0.6);
  });

  it('reads its own frame of a batch', () => {
    const finding = detection.read(
      outputs(DETECTION, {
        b: { dims: [2, 1, 4], data: Float32Array.of(0, 0, 0, 0, 208, 208, 416, 364) },
        s: { dims: [2, 1], data: Float32Array.of(0.9, 0.5) },
        c: { dims: [2, 1], data: Int32Array.of(0, 2) },
      }),
      1,
      GEOMETRY,
    );
    expect(finding).toMatchObject({ detections: [{ classId: 2, box: [0.5, 0.5, 1, 1] }] });
  });

  it('an empty result is a result', () => {
    expect(detect([])).toEqual([]);
  });

  it('computes intersection over union', () => {
    expect(iou([0, 0, 2, 2], [1, 0, 3, 2])).toBeCloseTo(1 / 3);
    expect(iou([0, 0, 1, 1], [2, 2, 3, 3])).toBe(0);
    expect(iou([0, 0, 0, 0], [0, 0, 0, 0])).toBe(0);
  });

  it('a suppressed box suppresses nothing itself', () => {
    const chain = [0, 4, 8].map((x, index) => ({
      classId: 0,
      score: 0.9 - index / 10,
      box: [x, 0, x + 10, 10] as const,
    }));
    // Each overlaps the next by 0.43, the first and the last by 0.11.
    expect(suppress(chain, 0.4).map(({ box }) => box[0])).toEqual([0, 8]);
  });

  it('a tall picture has its bars left and right', () => {
    const geometry = { ...GEOMETRY, content: { x: 104, y: 0, width: 208, height: 416 } };
    expect(toSource([104, 0, 208, 208], geometry)).toEqual([0, 0, 0.5, 0.5]);
  });
});

describe('segmentation', () => {
  const SIZE = 208;
  const classMap = (paint: (row: number, column: number) => number) => {
    const data = new Uint8Array(SIZE * SIZE);
    for (let index = 0; index < data.length; index++) {
      data[index] = paint(Math.floor(index / SIZE), index % SIZE);
    }
    return { dims: [1, SIZE, SIZE], data };
  };
  const segment = (paint: (row: number, column: number) => number) => {
    const finding = segmentation.read(outputs(SEGMENTATION, { m: classMap(paint) }), 0, GEOMETRY);
    return finding.task === 'segmentation' ? finding.masks : [];
  };

  it('covers the picture only, one mask per class, largest first', () => {
    // Rows 26 to 181 hold the picture; class 1 is its left half, class 2 a quarter, the bars are 1.
    const masks = segment((row, column) => {
      if (row < 26 || row >= 182) return 1;
      if (column < 104) return 1;
      return row < 104 ? 2 : 0;
    });
    expect(masks.map(({ classId, label, areaFraction }) => [classId, label, areaFraction])).toEqual(
      [
        [1, 'b', 0.5],
        [2, 'c', 0.25],
      ],
    );
    expect(masks[0]?.mask).toMatchObject({ height: 156, width: 208 });
    const [{ mask } = { mask: undefined }] = masks;
    const cells = mask === undefined ? [] : decodeRle(mask.counts, mask.height, mask.width);
    expect(cells[0]).toBe(1);
    expect(cells[103]).toBe(1);
    expect(cells[104]).toBe(0);
    expect([...cells].reduce((sum, cell) => sum + cell, 0)).toBe(156 * 104);
  });

  it('says nothing of the background, and an empty picture is an empty result', () => {
    expect(segment(() => 0)).toEqual([]);
  });

  it('leaves out specks', () => {
    expect(segment((row, column) => (row === 100 && column < 10 ? 2 : 0))).toEqual([]);
    expect(segment((row, column) => (row === 100 && column < 20 ? 2 : 0))).toHaveLength(1);
  });

  it('rounds the content to whole cells and keeps at least one', () => {
    const odd = { ...GEOMETRY, content: { x: 0, y: 91, width: 416, height: 234 } };
    expect(contentCells(odd, SIZE, SIZE)).toEqual({ x: 0, y: 46, width: 208, height: 117 });
    const thin = { ...GEOMETRY, content: { x: 415, y: 0, width: 1, height: 416 } };
    expect(contentCells(thin, SIZE, SIZE)).toEqual({ x: 207, y: 0, width: 1, height: 208 });
  });
});
