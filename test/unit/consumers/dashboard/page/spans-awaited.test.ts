import { describe, expect, it } from 'vitest';
import { waitForSpans } from '#consumers/dashboard/page/frame/spans-awaited.ts';
import { LIMITS } from '#runtime/limits.ts';
import { frameAt } from '#test/fixtures/wall-frame.ts';
import { WHOLE } from '../traces/spans.ts';

const { results } = frameAt('cam-0001-1700000000000-7');
const traced = results && { ...results, traced: true };

describe('waitForSpans', () => {
  it.each([
    ['no span', []],
    ['of the camera alone', WHOLE.slice(0, 4)],
    ['all but those of the camera', WHOLE.slice(4)],
    ['all but those of the consumer', [...WHOLE.slice(0, 4), ...WHOLE.slice(12)]],
    ['all but those of the wall', WHOLE.slice(0, 12)],
  ])('waits: %s', (_, trace) => {
    expect(waitForSpans({ results: traced, trace }, 1)).toBe(LIMITS.wallSpansDelayMs);
  });

  it('does not wait once all steps to a delivery are here, nor for a frame without a trace', () => {
    expect(waitForSpans({ results: traced, trace: WHOLE }, 1)).toBeUndefined();
    const untraced = results && { ...results, traced: false };
    expect(waitForSpans({ results: untraced, trace: [] }, 1)).toBeUndefined();
    expect(waitForSpans({ results: null, trace: [] }, 1)).toBeUndefined();
  });

  it('asks ever more rarely, and gives up', () => {
    const waits = Array.from({ length: LIMITS.wallSpansTries + 1 }, (_, index) => {
      return waitForSpans({ results: traced, trace: [] }, index + 1);
    });
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, undefined]);
  });
});
