import { describe, expect, it } from 'vitest';
import { LagBook, lagOf, partitionLag } from '#consumers/dashboard/lag-book.ts';
import { LIMITS } from '#runtime/limits.ts';

const START_MS = 1_700_000_000_000;

function look(high: number, committed: number | undefined, low = 0) {
  const positions = committed === undefined ? [] : [[0, committed] as const];
  return { ends: [{ partition: 0, low, high }], committed: new Map(positions) };
}

describe('LagBook', () => {
  it('tells what waits, and since when its oldest record was there', () => {
    const book = new LagBook();
    expect(book.look(look(10, 10), START_MS)).toMatchObject([{ records: 0, waitsMs: 0 }]);
    expect(book.look(look(12, 10), START_MS + 1_000)).toMatchObject([{ records: 2, waitsMs: 0 }]);
    expect(book.look(look(15, 10), START_MS + 2_000)).toMatchObject([
      { records: 5, waitsMs: 1_000 },
    ]);
    // The record at 12 came between the first second and the second.
    expect(book.look(look(15, 12), START_MS + 3_000)).toMatchObject([
      { records: 3, waitsMs: 1_000 },
    ]);
    expect(book.look(look(15, 15), START_MS + 4_000)).toMatchObject([{ records: 0, waitsMs: 0 }]);
  });

  it('is told how old what waited before the first look is', () => {
    const book = new LagBook();
    book.look(look(100, 40), START_MS);
    book.seed(new Map([[0, 90]]), START_MS - 10_000);
    book.seed(new Map([[0, 60]]), START_MS - 60_000);
    book.seed(new Map([[0, 30]]), START_MS - 120_000);
    const at = START_MS + 1_000;
    expect(book.look(look(100, 40), at)).toMatchObject([{ records: 60, waitsMs: 61_000 }]);
    expect(book.look(look(100, 60), at)).toMatchObject([{ records: 40, waitsMs: 11_000 }]);
    expect(book.look(look(100, 95), at)).toMatchObject([{ records: 5, waitsMs: 1_000 }]);
  });

  it('counts, of a group without a position, what has come since the first look', () => {
    const book = new LagBook();
    const [first] = book.look(look(50, undefined), START_MS);
    expect(first).toMatchObject({ records: 0, committedOffset: undefined });
    const backlogs = book.look(look(53, undefined), START_MS + 1_000);
    expect(backlogs).toMatchObject([{ records: 3 }]);
    expect(lagOf(backlogs)).toEqual({ records: null, seconds: null });
    expect(backlogs.map(partitionLag)).toMatchObject([{ committedOffset: null, endOffset: 53 }]);
  });

  it('does not count what Kafka has deleted', () => {
    const book = new LagBook();
    expect(book.look(look(50, 10, 45), START_MS)).toMatchObject([{ records: 5 }]);
  });

  it('remembers a long lag in little memory, ever more roughly', () => {
    const book = new LagBook();
    const seconds = 40 * LIMITS.wallLagMarksMax;
    for (let second = 0; second <= seconds; second++) {
      book.look(look(second, 0), START_MS + 1_000 * second);
    }
    const nowMs = START_MS + 1_000 * seconds;
    const [backlog] = book.look(look(seconds, Math.floor(seconds / 2)), nowMs);
    const ratio = (backlog?.waitsMs ?? 0) / (500 * seconds);
    expect(ratio).toBeGreaterThan(0.95);
    expect(ratio).toBeLessThanOrEqual(1);
  });

  it('adds partitions up: all records, and the oldest of them', () => {
    const book = new LagBook();
    const ends = (highs: readonly number[]) => ({
      ends: highs.map((high, partition) => ({ partition, low: 0, high })),
      committed: new Map(highs.map((_, partition) => [partition, 0])),
    });
    book.look(ends([2, 0]), START_MS);
    expect(lagOf(book.look(ends([2, 5]), START_MS + 3_000))).toEqual({ records: 7, seconds: 3 });
    expect(lagOf(undefined)).toEqual({ records: null, seconds: null });
  });
});
