import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { NOTES, type Report } from '#infra/evaluate/report.ts';
import { writeReport } from '#infra/evaluate/write-report.ts';
import { bytes, EVIL, reportOf, row } from './sample-report.ts';

const mine = row(EVIL, {
  recordBytes: { mean: 1000, median: 990 },
  ...{ mAP50: 0.5, mIoU: 0.4 },
  times: { encodeMs: 7.25, decodeMs: 30 },
  encoder: { parameterBits: 800_000, macs: 390_000_000 },
});
const report = reportOf([mine, row('unsplit', { mAP50: 0.6, mIoU: 1 })], {
  comparisons: [
    {
      ...{ method: EVIL, setting: 'only', measure: 'mAP50', value: 0.5, recordBytes: 1000 },
      ...{ opponent: 'webp', opponentBytes: 2000, ratio: 0.5, remark: '' },
    },
    {
      ...{ method: EVIL, setting: 'only', measure: 'mIoU', value: 0.4, recordBytes: 1000 },
      ...{ opponent: 'avif', opponentBytes: null, ratio: null, remark: 'never as good' },
    },
  ],
  failedPictures: [{ name: 'broken.jpg', reason: 'no picture' }],
});

function written(each: Report) {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-report-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeReport(each, folder);
  return {
    files: readdirSync(folder).toSorted(),
    read: (name: string) => readFileSync(join(folder, name), 'utf8'),
  };
}

/** Cells of the first line below a heading that holds the text. */
function cellsBelow(markdown: string, heading: string, text: string): string[] {
  const section = markdown.slice(markdown.indexOf(heading));
  const line = section.split('\n').find((each) => each.includes(text)) ?? '';
  return line.split('|').map((cell) => cell.trim());
}

describe('a report on disk', () => {
  it('has a plot for each measure that some row has, and one beside it with the encoder', () => {
    const { files, read } = written(report);
    const plots = ['plot-encoder-mIoU.svg', 'plot-encoder.svg', 'plot-mIoU.svg', 'plot.svg'];
    expect(files).toEqual([...plots, 'report.html', 'report.json', 'report.md']);
    expect(read('plot-encoder.svg')).toContain('encoder kB x record kB');
    expect(read('report.html').match(/<svg /g)).toHaveLength(4);
    for (const plot of plots) {
      expect(read('report.md')).toContain(`](${plot})`);
      expect(read(plot)).toContain('&lt;img');
      expect(read('report.html')).toContain(read(plot).trim());
    }
  });

  it('has no plot of what no row has, but a file that says so', () => {
    const { files, read } = written(reportOf([row('a', { recordBytes: bytes(100) })]));
    expect(files).toEqual(['plot.svg', 'report.html', 'report.json', 'report.md']);
    expect(read('plot.svg')).toContain('no row has mAP50');
    expect(read('report.md')).not.toContain('plot.svg');
    expect(read('report.html')).not.toContain('<svg');
  });

  it('tells times and what the encoder costs after mIoU', () => {
    const markdown = written(report).read('report.md');
    const cells = cellsBelow(markdown, '', '| 990 ');
    expect(cells.slice(-8)).toEqual(['-', '0.400', '7.3', '30.0', '100', '0.39', '', '']);
    const titles = cellsBelow(markdown, '', '| method');
    expect(titles.slice(-8, -1)).toEqual([
      ...['top-1', 'mIoU', 'encode ms', 'decode ms', 'encoder kB', 'encoder GMAC', 'remark'],
    ]);
  });

  it('tells bytes at equal accuracy, or why there are none', () => {
    const markdown = written(report).read('report.md');
    const heading = '## Bytes at equal accuracy';
    expect(cellsBelow(markdown, heading, 'webp').slice(2, -1)).toEqual([
      ...['mAP50', '0.500', '1000', 'webp', '2000', '0.50', ''],
    ]);
    expect(cellsBelow(markdown, heading, 'avif').slice(2, -1)).toEqual([
      ...['mIoU', '0.400', '1000', 'avif', '-', '-', 'never as good'],
    ]);
  });

  it("tells SC2's three metrics of rows that know their encoder, and their product", () => {
    const markdown = written(report).read('report.md');
    const heading = "## SC2's three metrics";
    expect(cellsBelow(markdown, heading, '1000').slice(2, -1)).toEqual([
      ...['only', '100', '1000', '100', '0.500', '-', '0.400'],
    ]);
    expect(cellsBelow(markdown, heading, 'unsplit')).toEqual(['']);
  });

  it('lets no name be more than a name', () => {
    const { read } = written(report);
    const markdown = read('report.md').replaceAll(/!\[[\w -]+\]\(plot[\w-]*\.svg\)/g, '');
    expect(markdown).not.toMatch(/(?<!\\)[<[]/);
    expect(markdown.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    const [title = ''] = markdown.split('\n');
    expect(title).toBe('# \\<img src=x onerror="alert(1)">/\\[a](b) & 1 on 2 pictures');
    expect(markdown).toContain('- broken.jpg: no picture');
  });

  it('keeps its notes readable in a terminal', () => {
    const markdown = written(reportOf([mine], { notes: NOTES })).read('report.md');
    for (const note of NOTES) expect(markdown).toContain(`- ${note}`);
  });
});
