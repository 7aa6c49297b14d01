import { describe, expect, it } from 'vitest';
import { CameraIndex } from '#consumers/dashboard/page/wall/camera-index.ts';
import { EVERYTHING, SORTS, type SortKey } from '#consumers/dashboard/page/wall/selection.ts';
import type { CameraRow } from '#consumers/dashboard/protocol.ts';
import { seededRandom } from '#runtime/random.ts';
import { rowAt } from '#test/fixtures/wall-scene.ts';

function row(cameraId: string, more: Partial<CameraRow> = {}): CameraRow {
  const base = { state: 'online', agentId: 'a', counts: {}, topLabels: [], dropped: {} } as const;
  return { ...rowAt(0, 0), ...base, cameraId, ...more };
}

function indexOf(rows: readonly CameraRow[]): CameraIndex {
  const index = new CameraIndex();
  index.update(rows);
  return index;
}

describe('CameraIndex', () => {
  const rows = [
    row('gate-10', { counts: { person: 2 }, framesPerSecond: 2 }),
    row('gate-9', { state: 'offline', agentId: 'agent-north', framesPerSecond: 0 }),
    row('yard-1', { topLabels: [['street sign', 0.5]], dropped: { late: 3 }, framesPerSecond: 1 }),
  ];

  it('everything, by names as a person counts', () => {
    expect(indexOf(rows).select(EVERYTHING)).toEqual(['gate-9', 'gate-10', 'yard-1']);
  });

  it.each([
    ['GATE', ['gate-9', 'gate-10']],
    ['north', ['gate-9']],
    ['sign', ['yard-1']],
    ['gate person', ['gate-10']],
    ['gate sign', []],
  ])('search for %s', (search, ids) => {
    expect(indexOf(rows).select({ ...EVERYTHING, search })).toEqual(ids);
  });

  it('by state, and by what is seen', () => {
    expect(indexOf(rows).select({ ...EVERYTHING, state: 'offline' })).toEqual(['gate-9']);
    expect(indexOf(rows).select({ ...EVERYTHING, sees: 'street sign' })).toEqual(['yard-1']);
    expect(indexOf(rows).select({ ...EVERYTHING, sees: 'street' })).toEqual([]);
  });

  it.each([
    ['trouble', ['gate-9', 'gate-10', 'yard-1']],
    ['fps', ['gate-9', 'yard-1', 'gate-10']],
    ['drops', ['yard-1', 'gate-9', 'gate-10']],
  ] as const)('in the order of %s', (sort, ids) => {
    expect(indexOf(rows).select({ ...EVERYTHING, sort })).toEqual(ids);
  });

  it('counts cameras, not objects, by label', () => {
    const crowd = [...rows, row('x', { counts: { person: 9, car: 1 } })];
    expect(indexOf(crowd).seenLabels()).toEqual([
      ['person', 2],
      ['car', 1],
      ['street sign', 1],
    ]);
  });

  it('is the same list while nothing changes in it', () => {
    const index = indexOf(rows);
    const before = index.select({ ...EVERYTHING, sort: 'fps' });
    index.update(rows.map((one) => ({ ...one, captured: one.captured + 1 })));
    expect(index.select({ ...EVERYTHING, sort: 'fps' })).toBe(before);
  });

  it('is, after any changes, as one that is made anew', () => {
    const random = seededRandom(3);
    const index = new CameraIndex();
    let fleet: CameraRow[] = [];
    const pick = <T>(values: readonly [T, ...T[]]) => values[random.integer(values.length)];
    const draw = () =>
      row(`cam-${random.integer(300)}`, {
        state: pick(['online', 'offline', 'ended']) ?? 'online',
        framesPerSecond: random.integer(4),
        lastFrameTimeUs: random.integer(1_000),
        counts: pick<CameraRow['counts']>([{}, { person: 1 }, { person: 2, car: 1 }]) ?? {},
        dropped: { late: random.integer(3) },
      });
    for (let turn = 0; turn < 60; turn++) {
      const changed = new Map(fleet.map((one) => [one.cameraId, one]));
      for (const one of Array.from({ length: 20 }, draw)) changed.set(one.cameraId, one);
      for (const one of Array.from({ length: 5 }, draw)) changed.delete(one.cameraId);
      fleet = [...changed.values()];
      index.update(fleet);
      const fresh = indexOf(fleet);
      const selection = {
        ...EVERYTHING,
        sort: pick(Object.keys(SORTS) as [SortKey, ...SortKey[]]) ?? 'id',
        state: pick(['', '', 'offline'] as const) ?? '',
        sees: pick(['', '', 'car']) ?? '',
        search: pick(['', '', 'cam-1 person']) ?? '',
      };
      expect(index.select(selection)).toEqual(fresh.select(selection));
      expect(index.seenLabels()).toEqual(fresh.seenLabels());
      expect(index.size).toBe(fleet.length);
    }
  });
});
