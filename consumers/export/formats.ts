import type { ExportFormat } from './format.ts';
import { COCO } from './formats/coco.ts';
import { CSV } from './formats/csv.ts';
import { ONVIF } from './formats/onvif.ts';
import { PARQUET } from './formats/parquet.ts';

/** Every format, in the order in which `--help` lists them. */
export const FORMATS: readonly ExportFormat[] = [COCO, CSV, PARQUET, ONVIF];
