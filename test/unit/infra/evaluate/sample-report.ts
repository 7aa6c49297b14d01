import type { Row } from '#infra/evaluate/evaluate.ts';
import type { Report } from '#infra/evaluate/report.ts';

/** What a bundle of somebody else may be called. */
export const EVIL = '<img src=x onerror="alert(1)">|[a](b)\u0007&';

export function row(method: string, more: Partial<Row>): Row {
  return {
    ...{ method, setting: 'only', pictures: 2, remark: '', hasFailed: false },
    ...{ recordBytes: null, codecBytes: null, mAP: null, mAP50: null, personAP50: null },
    ...{ top1Agreement: null, mIoU: null, times: null, encoder: null, ...more },
  };
}

export function bytes(mean: number) {
  return { mean, median: mean - 10 };
}

export function reportOf(rows: readonly Row[], more: Partial<Report> = {}): Report {
  return {
    ...{ date: '2026-01-01', commit: 'abc', cpu: 'cpu', cores: 2, node: 'v24' },
    bundle: { name: EVIL, version: '1', digest: 'd' },
    ...{ data: 'set', detector: null, classifier: null, segmenter: null, n: 2, notes: ['a & b'] },
    ...{ rows, comparisons: [], failedPictures: [], ...more },
  };
}
