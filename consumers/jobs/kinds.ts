import { EXPORT_JOB } from '#consumers/export/job.ts';
import { REPORT_JOB } from '#consumers/reports/job.ts';
import { BACKFILL } from './backfill-kind.ts';
import type { JobKind } from './kind.ts';
import { REDRIVE } from './redrive-kind.ts';

/** Every kind of job, in the order in which `--help` lists them. */
export const KINDS: readonly JobKind[] = [BACKFILL, REDRIVE, EXPORT_JOB, REPORT_JOB];
