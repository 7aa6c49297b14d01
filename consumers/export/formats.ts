import type { ExportFormat } from './format.ts';
import { COCO } from './formats/coco.ts';
import { CSV } from './formats/csv.ts';
import { PARQUET } from './formats/parquet.ts';
import { asLines, FRAME_FORMATS } from './frame-formats.ts';

/** Every format, in the order in which `--help` lists them. */
export const FORMATS: readonly ExportFormat[] = [COCO, CSV, PARQUET, ...FRAME_FORMATS.map(asLines)];
