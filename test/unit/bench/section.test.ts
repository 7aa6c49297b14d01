import { expect, it } from 'vitest';
import { markdownTable, verdict } from '#test/bench/instruments/section.ts';

it('makes a table that Markdown reads', () => {
  const table = markdownTable(
    ['', 'frames/s'],
    [
      ['idle', 5],
      ['loaded', 40.5],
    ],
  );
  expect(table).toBe('|  | frames/s |\n| --- | --- |\n| idle | 5 |\n| loaded | 40.5 |');
});

it('a goal that is missed cannot be overlooked', () => {
  expect(verdict(true)).toBe('holds');
  expect(verdict(false)).toBe('FAILS');
});
