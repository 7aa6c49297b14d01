import { expect, it } from 'vitest';
import type { CameraRow } from '#consumers/dashboard/protocol.ts';
import { RowBook } from '#consumers/dashboard/row-book.ts';
import { LIMITS } from '#runtime/limits.ts';

const row = (cameraId: string, captured = 0) => ({ cameraId, captured }) as CameraRow;
const read = (texts: readonly string[]) => texts.map((text) => JSON.parse(text).cameraId);

it('tells what changed since, the newest of each camera, once', () => {
  const book = new RowBook();
  book.set(row('gate', 1));
  book.set(row('yard', 1));
  const first = book.after(0);
  expect(read(first.rows)).toEqual(['gate', 'yard']);
  book.set(row('gate', 2));
  book.set(row('gate', 3));
  const second = book.after(first.version);
  expect(second.rows.map((text) => JSON.parse(text))).toEqual([{ cameraId: 'gate', captured: 3 }]);
  expect(book.after(second.version)).toMatchObject({ rows: [], gone: [] });
  expect(read(book.after(0).rows)).toEqual(['yard', 'gate']);
});

it('tells of cameras that are gone, and of one that is back', () => {
  const book = new RowBook();
  book.set(row('gate'));
  const { version } = book.after(0);
  book.remove('gate');
  expect(book.after(version)).toMatchObject({ rows: [], gone: ['gate'] });
  book.set(row('gate'));
  expect(read(book.after(version).rows)).toEqual(['gate']);
});

it('tells no more at a time than a message holds', () => {
  const book = new RowBook();
  const max = LIMITS.wallRowsPerMessageMax;
  for (let index = 0; index < 2 * max + 5; index++) book.set(row(`c${index}`));
  let version = 0;
  const counts: number[] = [];
  for (let changes = book.after(0); changes.rows.length > 0; changes = book.after(version)) {
    counts.push(changes.rows.length);
    version = changes.version;
  }
  expect(counts).toEqual([max, max, 5]);
});

it('does not grow with cameras that come and go', () => {
  const book = new RowBook();
  for (let index = 0; index < 3 * LIMITS.wallCamerasMax; index++) {
    book.set(row(`c${index}`));
    book.remove(`c${index}`);
  }
  let gone = 0;
  let version = 0;
  for (let changes = book.after(0); changes.gone.length > 0; changes = book.after(version)) {
    gone += changes.gone.length;
    version = changes.version;
  }
  expect(gone).toBe(LIMITS.wallCamerasMax);
});
