import { frameId } from '#schemas/frame.ts';
import {
  type Classification,
  type Detection,
  foundIn,
  type Result,
  type SegmentationMask,
  type Task,
} from '#schemas/result.ts';
import { millionths, pixelBox } from './pixels.ts';

/** What one row of a table is about: the n-th thing found in a frame, or that nothing was. */
export interface Row {
  readonly result: Result;
  readonly index: number | undefined;
  readonly found: Partial<Detection & SegmentationMask & Classification>;
}

export type Cell = string | number | undefined;

/** A column of CSV and Parquet; README.md says the same of each. */
export interface Column {
  readonly name: string;
  readonly type: 'text' | 'integer' | 'number';
  /** Undefined where there is nothing to say: an empty field, or a null. */
  readonly cell: (row: Row) => Cell;
}

export function rowsOf(result: Result): readonly Row[] {
  const all = foundIn(result);
  if (all.length === 0) return [{ result, index: undefined, found: {} }];
  return all.map((found, index) => ({ result, index, found }));
}

export function columnsOf(task: Task): readonly Column[] {
  return [...FRAME, ...FOUND, ...OF_TASK[task]];
}

const FRAME: readonly Column[] = [
  { name: 'frame_id', type: 'text', cell: ({ result }) => frameId(result) },
  { name: 'camera_id', type: 'text', cell: ({ result }) => result.cameraId },
  { name: 'epoch', type: 'integer', cell: ({ result }) => result.epoch },
  { name: 'sequence', type: 'integer', cell: ({ result }) => result.sequence },
  { name: 'capture_time_us', type: 'integer', cell: ({ result }) => result.captureTimeUs },
  { name: 'time_source', type: 'text', cell: ({ result }) => result.timeSource },
  { name: 'source_width', type: 'integer', cell: ({ result }) => result.sourceWidth },
  { name: 'source_height', type: 'integer', cell: ({ result }) => result.sourceHeight },
  { name: 'bundle', type: 'text', cell: ({ result: { lineage } }) => lineage.bundleName },
  { name: 'bundle_digest', type: 'text', cell: ({ result: { lineage } }) => lineage.bundleDigest },
  { name: 'head_version', type: 'text', cell: ({ result: { lineage } }) => lineage.headVersion },
  { name: 'rate_point', type: 'integer', cell: ({ result: { lineage } }) => lineage.ratePoint },
];

const FOUND: readonly Column[] = [
  { name: 'object_index', type: 'integer', cell: ({ index }) => index },
  { name: 'class_id', type: 'integer', cell: ({ found }) => found.classId },
  { name: 'label', type: 'text', cell: ({ found }) => found.label },
];

const SCORE: Column = {
  name: 'score',
  type: 'number',
  cell: ({ found }) => fraction(found.score),
};

const OF_TASK: Readonly<Record<Task, readonly Column[]>> = {
  classification: [SCORE],
  detection: [
    SCORE,
    ...['x_min', 'y_min', 'x_max', 'y_max'].map(
      (name, side): Column => ({
        name,
        type: 'number',
        cell: ({ found: { box }, result }) => box && pixelBox(box, result)[side],
      }),
    ),
  ],
  segmentation: [
    { name: 'area_fraction', type: 'number', cell: ({ found }) => fraction(found.areaFraction) },
    { name: 'mask_height', type: 'integer', cell: ({ found }) => found.mask?.height },
    { name: 'mask_width', type: 'integer', cell: ({ found }) => found.mask?.width },
    { name: 'mask_counts', type: 'text', cell: ({ found }) => found.mask?.counts },
  ],
};

function fraction(value: number | undefined): number | undefined {
  return value === undefined ? undefined : millionths(value);
}
