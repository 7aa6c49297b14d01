import { describe, expect, it } from 'vitest';
import { SettledPositions } from '#consumers/dashboard/settled-positions.ts';
import type { FetchedSlice, FetchRequest, IncomingRecord } from '#runtime/broker.ts';

/** One partition: what is at each offset. An open transaction hides what is behind it. */
type Log = readonly ('frame' | 'hidden' | 'open')[];

function record(offset: number): IncomingRecord {
  const common = { topic: 'frames', partition: 0, key: 'gate', headers: {}, timestampMs: 0 };
  return { ...common, offset, value: new Uint8Array(1) };
}

/** A batch for each offset. */
function fetchOf(log: Log, fetched: number[]) {
  return async ({ offset, bytesMax }: FetchRequest): Promise<FetchedSlice> => {
    expect(bytesMax).toBe(1);
    fetched.push(offset);
    if (log[offset] === 'frame') return { records: [record(offset)], nextOffset: offset + 1 };
    return { records: [], nextOffset: log[offset] === 'hidden' ? offset + 1 : offset };
  };
}

function reader() {
  const fetched: number[] = [];
  let log: Log = [];
  const broker = { fetch: (request: FetchRequest) => fetchOf(log, fetched)(request) };
  const positions = new SettledPositions(broker, 'frames');
  const look = async (now: Log, committed: number | undefined) => {
    log = now;
    const known = committed === undefined ? [] : [[0, committed] as const];
    const ends = [{ partition: 0, low: 0, high: now.length }];
    const settled = await positions.settle({ ends, committed: new Map(known) });
    return { position: settled.committed.get(0), isHeld: settled.held?.has(0) };
  };
  return { look, fetched };
}

describe('SettledPositions', () => {
  it('reads nothing where the group moves, is at the end, or has no position', async () => {
    const { look, fetched } = reader();
    for (const committed of [0, 1, 2, 3]) {
      expect(await look(['frame', 'frame', 'frame'], committed)).toMatchObject({
        position: committed,
      });
    }
    await look(['frame', 'frame', 'frame'], 3);
    await look(['frame'], undefined);
    await look(['frame'], undefined);
    expect(fetched).toEqual([]);
  });

  it('goes behind the marker of a redrive, and finds the frame that comes then', async () => {
    const { look, fetched } = reader();
    await look(['frame', 'hidden'], 1);
    expect(await look(['frame', 'hidden'], 1)).toEqual({ position: 2, isHeld: false });
    expect(await look(['frame', 'hidden'], 1)).toEqual({ position: 2, isHeld: false });
    expect(fetched, 'once').toEqual([1]);
    const more: Log = ['frame', 'hidden', 'frame', 'frame'];
    for (let again = 0; again < 3; again++) {
      expect(await look(more, 1)).toEqual({ position: 2, isHeld: false });
    }
    expect(fetched, 'and once more').toEqual([1, 2]);
  });

  it('goes behind what was aborted, a batch a look', async () => {
    const { look } = reader();
    const aborted: Log = ['frame', 'hidden', 'hidden', 'hidden'];
    const found = [];
    for (let again = 0; again < 4; again++) found.push((await look(aborted, 1)).position);
    expect(found).toEqual([1, 2, 3, 4]);
  });

  it('tells what an open transaction hides, until it is over', async () => {
    const { look } = reader();
    await look(['frame', 'open', 'frame'], 1);
    expect(await look(['frame', 'open', 'frame'], 1)).toEqual({ position: 1, isHeld: true });
    expect(await look(['frame', 'open', 'frame'], 1)).toEqual({ position: 1, isHeld: true });
    expect(await look(['frame', 'frame', 'frame'], 1)).toEqual({ position: 1, isHeld: false });
    expect(await look(['frame', 'frame', 'frame'], 3)).toEqual({ position: 3, isHeld: false });
  });
});
