import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Row } from '#infra/evaluate/evaluate.ts';
import type { Report } from '#infra/evaluate/report.ts';
import { writeReport } from '#infra/evaluate/write-report.ts';

function row(method: string, more: Partial<Row>): Row {
  return {
    ...{ method, setting: 'only', pictures: 2, remark: '', hasFailed: false },
    ...{ recordBytes: null, codecBytes: null, mAP: null, mAP50: 0.5, personAP50: null },
    ...{ top1Agreement: null, mIoU: null, times: null, encoder: null, ...more },
  };
}

const EVIL = '<img src=x onerror="alert(1)">';
const report: Report = {
  ...{ date: '2026-01-01', commit: 'abc', cpu: 'cpu', cores: 2, node: 'v24' },
  bundle: { name: EVIL, version: '1', digest: 'd' },
  ...{ data: 'set', detector: null, classifier: null, segmenter: null, n: 2, notes: ['a & b'] },
  rows: [
    row(EVIL, {
      recordBytes: { mean: 1000, median: 990 },
      mIoU: 0.4,
      times: { encodeMs: 7.25, decodeMs: 30 },
      encoder: { parameterBits: 800_000, macs: 390_000_000 },
    }),
    row('unsplit', { mIoU: 1 }),
  ],
  comparisons: [
    {
      ...{ method: EVIL, setting: 'only', measure: 'mAP50', value: 0.5, recordBytes: 1000 },
      ...{ opponent: 'webp', opponentBytes: 2000, ratio: 0.5, remark: '' },
    },
  ],
  failedPictures: [{ name: 'broken.jpg', reason: 'no picture' }],
};

it('writes a table, a page and a plot for each measure that some row has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-report-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeReport(report, folder);
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');

  expect(existsSync(join(folder, 'plot-mIoU.svg'))).toBe(true);
  expect(existsSync(join(folder, 'plot-top1Agreement.svg'))).toBe(false);
  expect(read('plot-encoder.svg')).toContain('encoder kB x record kB');

  const lines = read('report.md').split('\n');
  const cells = lines.find((line) => line.includes('| 1000 '))?.split('|') ?? [];
  expect(cells.map((cell) => cell.trim())).toEqual(
    expect.arrayContaining(['1000', '990', '0.500', '0.400', '7.3', '30.0', '100', '0.39']),
  );
  expect(read('report.md')).toMatch(/\| webp +\| 2000 +\| 0\.50/);

  const page = read('report.html');
  expect(page).not.toContain('<img');
  expect(page).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;');
  expect(page).toContain('<li>a &amp; b</li>');
  expect(page).toContain('broken.jpg: no picture');
  expect(page.match(/<svg /g)).toHaveLength(3);
  for (const plot of ['plot.svg', 'plot-mIoU.svg']) expect(read(plot)).toContain('&lt;img');
});
