import { describe, expect, it } from 'vitest';
import { OTHER, SeriesCap } from '#runtime/metrics/series-cap.ts';

describe('SeriesCap', () => {
  it('gives the first ones their own series, and the others one', () => {
    const cap = new SeriesCap(2);
    expect(['a', 'b', 'c', 'd', 'a'].map((id) => cap.labelOf(id))).toEqual([
      ...['a', 'b', OTHER, OTHER, 'a'],
    ]);
  });

  it('gives a place that is free to one that is new, and to none that shared', () => {
    const cap = new SeriesCap(1);
    cap.labelOf('a');
    cap.labelOf('b');
    expect(cap.forget('a')).toBe('a');
    expect(cap.labelOf('b')).toBe(OTHER);
    expect(cap.labelOf('c')).toBe('c');
    expect(cap.forget('b')).toBe(OTHER);
    expect(cap.forget('never-seen')).toBeUndefined();
  });

  it('does not take one that is called "other" for one of them', () => {
    const cap = new SeriesCap(1);
    expect(cap.labelOf(OTHER)).toBe(OTHER);
    expect(cap.labelOf('a')).toBe('a');
  });
});
