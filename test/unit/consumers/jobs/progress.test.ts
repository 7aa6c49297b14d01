import { describe, expect, it } from 'vitest';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { isOver, progressOf } from '#consumers/jobs/progress.ts';
import { progressText, summaryText } from '#consumers/jobs/progress-text.ts';

const RANGES = [
  { partition: 0, start: 100, end: 200 },
  { partition: 1, start: 40, end: 40 },
  { partition: 2, start: 0, end: 100 },
];

function progressAt(positions: readonly (readonly [number, number])[]) {
  const telemetry = new Telemetry();
  telemetry.count('results-detection', 58);
  telemetry.count('results-segmentation', 58);
  telemetry.count('dead-letter-bitstream-tables-unknown', 3);
  telemetry.count('duplicate-frame', 2);
  telemetry.gauge('lanes', () => 3);
  return progressOf({
    ...{ ranges: RANGES, positions: new Map(positions), telemetry },
    heads: ['detection', 'segmentation'],
    lastFrameTimeUs: Date.UTC(2026, 10, 28, 20) * 1000,
  });
}

describe('progress', () => {
  it('is what lies between the start of each range and its position', () => {
    expect(progressAt([]).framesDone).toBe(0);
    const positions = [
      [0, 130],
      [1, 90],
      [2, 20],
    ] as const;
    expect(progressAt(positions)).toMatchObject({
      ...{ framesDone: 50, framesTotalEstimate: 200, framesSelected: 63, duplicates: 2 },
      results: { detection: 58, segmentation: 58 },
      deadLetters: { 'bitstream-tables-unknown': 3 },
    });
    // Never more than there is.
    expect(progressAt([[0, 300]]).framesDone).toBe(100);
  });

  it('is over when every position is at its end', () => {
    const at = (...positions: number[]) => isOver(RANGES, new Map(positions.entries()));
    expect(at()).toBe(false);
    expect(at(200, 40)).toBe(false);
    expect(at(200, 40, 99)).toBe(false);
    expect(at(200, 40, 100)).toBe(true);
    expect(at(250, 40, 100)).toBe(true);
  });

  it('as text', () => {
    const progress = progressAt([[0, 130]]);
    expect(progressText(progress)).toBe(
      '30 of 200 frames read (15 %), 63 chosen and settled, at 2026-11-28T20:00:00.000Z',
    );
    expect(summaryText({ state: 'done', ...progress })).toBe(
      'done: 30 frames read, by this worker 63 chosen, results detection 58 segmentation 58, ' +
        'dead letters bitstream-tables-unknown 3, 2 second copies left out',
    );
    expect(summaryText({ state: 'stopped', ...progress, deadLetters: {} })).toMatch(
      /^stopped after 30 of 200 frames; the same command goes on.*no dead letters/,
    );
  });
});
