import type { SegmentationHead } from '#models/manifest.ts';
import type { SegmentationMask } from '#schemas/result.ts';
import { encodeRle } from '#schemas/rle.ts';
import { type FrameGeometry, frameValues, type Head, labelOf } from './head.ts';

/**
 * A class that covers less of the picture than this is a speck: a few cells at the usual 208 x 208.
 */
const AREA_FRACTION_MIN = 0.0005;

/**
 * `classMap` [N, height, width]: a class id per cell of the letterboxed input. One mask per class
 * that is present, largest first; masks cover the source picture only, not the letterbox's bars.
 */
export const segmentation: Head<SegmentationHead> = {
  task: 'segmentation',
  read(outputs, frameIndex, geometry) {
    const { background, outputs: names } = outputs.spec;
    const [, mapHeight = 0, mapWidth = 0] = outputs.tensors[names.classMap]?.dims ?? [];
    const map = frameValues(outputs, names.classMap, frameIndex);
    const crop = contentCells(geometry, mapWidth, mapHeight);
    const cellsOfClass = new Map<number, Uint8Array>();
    const countOfClass = new Map<number, number>();
    for (let row = 0; row < crop.height; row++) {
      for (let column = 0; column < crop.width; column++) {
        const classId = map[(crop.y + row) * mapWidth + crop.x + column] ?? background;
        if (classId === background) continue;
        let cells = cellsOfClass.get(classId);
        if (cells === undefined) {
          cells = new Uint8Array(crop.height * crop.width);
          cellsOfClass.set(classId, cells);
        }
        cells[row * crop.width + column] = 1;
        countOfClass.set(classId, (countOfClass.get(classId) ?? 0) + 1);
      }
    }
    const masks: SegmentationMask[] = [];
    for (const [classId, cells] of cellsOfClass) {
      const areaFraction = (countOfClass.get(classId) ?? 0) / cells.length;
      if (areaFraction < AREA_FRACTION_MIN) continue;
      const counts = encodeRle(cells, crop.height, crop.width);
      const mask = { height: crop.height, width: crop.width, counts };
      masks.push({ classId, label: labelOf(outputs, classId), areaFraction, mask });
    }
    masks.sort((a, b) => b.areaFraction - a.areaFraction || a.classId - b.classId);
    return { task: 'segmentation', masks };
  },
};

/**
 * The content rectangle in cells of the class map, rounded to whole cells, at least one each way.
 */
export function contentCells(geometry: FrameGeometry, mapWidth: number, mapHeight: number) {
  const { content, inputWidth, inputHeight } = geometry;
  const across = cells(content.x, content.width, inputWidth, mapWidth);
  const down = cells(content.y, content.height, inputHeight, mapHeight);
  return { x: across.start, y: down.start, width: across.size, height: down.size };
}

function cells(start: number, size: number, inputSize: number, mapSize: number) {
  const scale = mapSize / inputSize;
  const first = Math.min(Math.round(start * scale), mapSize - 1);
  const end = Math.min(Math.round((start + size) * scale), mapSize);
  return { start: first, size: Math.max(1, end - first) };
}
