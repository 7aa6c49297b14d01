import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  gridOf,
  moveInGrid,
  tilePosition,
  tilesInView,
} from '#consumers/dashboard/page/wall/grid.ts';

describe('gridOf', () => {
  it('has as many columns as there is room for, which fill the width', () => {
    const grid = gridOf({ width: 1000, count: 10, tileWidthMin: 240 });
    expect(grid).toMatchObject({ columns: 4, tileWidth: 242, rows: 3 });
    expect(grid.height).toBe(3 * grid.tileHeight + 2 * (grid.rowHeight - grid.tileHeight));
  });

  it('has one column where not even one tile fits, and no height without cameras', () => {
    expect(gridOf({ width: 100, count: 3, tileWidthMin: 240 })).toMatchObject({
      columns: 1,
      tileWidth: 100,
      rows: 3,
    });
    expect(gridOf({ width: 1000, count: 0, tileWidthMin: 240 }).height).toBe(0);
  });
});

describe('tilesInView', () => {
  it('names exactly the tiles that touch the window, wherever it is', () => {
    const windows = fc.property(
      fc.integer({ min: 0, max: 500 }),
      fc.integer({ min: 200, max: 2000 }),
      fc.integer({ min: -1500, max: 60_000 }),
      fc.integer({ min: 1, max: 1500 }),
      (count, width, top, height) => {
        const grid = gridOf({ width, count, tileWidthMin: 240 });
        const { first, end } = tilesInView(grid, count, { top, height });
        for (let index = 0; index < count; index++) {
          const { y } = tilePosition(grid, index);
          const isSeen = y < top + height && y + grid.rowHeight > top;
          expect(index >= first && index < end).toBe(isSeen);
        }
      },
    );
    fc.assert(windows);
  });
});

describe('moveInGrid', () => {
  const room = { count: 10, columns: 4, rowsInView: 2 };

  it.each([
    ['ArrowRight', 3, 4],
    ['ArrowRight', 9, 9],
    ['ArrowLeft', 0, 0],
    ['ArrowDown', 1, 5],
    ['ArrowDown', 7, 7],
    ['ArrowUp', 5, 1],
    ['ArrowUp', 2, 2],
    ['PageDown', 1, 9],
    ['PageUp', 9, 1],
    ['Home', 7, 0],
    ['End', 7, 9],
    ['x', 7, undefined],
  ])('%s from %i leads to %s', (key, from, to) => {
    expect(moveInGrid(key, from, room)).toBe(to);
  });
});
