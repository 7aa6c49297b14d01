import { describe, expect, it } from 'vitest';
import { EXPORT_USAGE, readExportArguments } from '#consumers/export/arguments.ts';
import { FORMATS } from '#consumers/export/formats.ts';
import { progressText, summaryText } from '#consumers/export/text.ts';

const NEEDED = ['--format', 'csv', '--topic', 'segmentation', '--output', 'out.csv'];

const read = (...args: readonly string[]) => readExportArguments(args, '/data');

describe('npx halfsight export', () => {
  it('reads an order', () => {
    const times = ['--since', '2026-11-28T20:00:00Z', '--until', '2026-11-28T21:00:00Z'];
    const args = read(...NEEDED, ...times, '--cameras', 'gate, yard', '--backfill', 'night');
    expect(args).toMatchObject({
      json: false,
      order: {
        ...{ task: 'segmentation', output: '/data/out.csv', backfill: 'night' },
        ...{ cameras: ['gate', 'yard'], sinceMs: Date.UTC(2026, 10, 28, 20) },
        ...{ untilMs: Date.UTC(2026, 10, 28, 21), format: { name: 'csv' } },
      },
    });
    expect(read(...NEEDED, '--json')).toMatchObject({ json: true, order: { cameras: undefined } });
  });

  it('explains every format', () => {
    expect(read('--help')).toBe('help');
    for (const { name, summary } of FORMATS) {
      expect(EXPORT_USAGE).toContain(name);
      expect(EXPORT_USAGE).toContain(summary);
    }
    for (const line of EXPORT_USAGE.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it.each([
    [NEEDED.slice(2), '--format is missing'],
    [NEEDED.slice(0, 4), '--output is missing'],
    [[...NEEDED, '--since', 'yesterday'], '--since must be a time'],
    [[...NEEDED, '--cameras', ''], 'can be no camera'],
    [[...NEEDED, '--what'], "'--what'"],
    [['--format', 'coco', ...NEEDED.slice(2, 3), 'classification', ...NEEDED.slice(4)], 'coco can'],
  ])('%j is refused', (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });

  it('says how far it is, and what came of it', () => {
    const progress = {
      ...{ recordsRead: 120, recordsTotalEstimate: 900, exported: 31 },
      skipped: { shed: 3, 'other-camera': 86 } as const,
    };
    expect(progressText(progress)).toBe('120 of 900 results read (13 %), 31 exported');
    expect(progressText({ ...progress, recordsTotalEstimate: 0 })).toContain('(100 %)');
    const summary = { ...progress, file: '/data/out.csv', bytes: 2048, partitionsTrimmed: 0 };
    expect(summaryText(summary)).toBe(
      '/data/out.csv: 31 results, 2.0 KB\nskipped: 3 shed, 86 other-camera',
    );
    expect(summaryText({ ...summary, skipped: {}, partitionsTrimmed: 2 })).toContain(
      'skipped: none\nKafka has deleted older results of 2 partitions',
    );
  });
});
