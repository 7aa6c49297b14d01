import { expect, it } from 'vitest';
import { selector } from '#consumers/jobs/selection.ts';
import { record } from '../inference/fakes.ts';

const TIME_MS = 1_700_000_000_000;

it('takes everything unless told otherwise', () => {
  const selects = selector({});
  expect(selects(record(0))).toBe(true);
  // So that what has no key becomes a dead letter, as in a live consumer.
  expect(selects(record(0, { key: null, value: null }))).toBe(true);
});

it('knows cameras by the key, and frames by the time of their record', () => {
  const cameras = ['cam-1', 'gate'];
  const selects = selector({ cameras, sinceMs: TIME_MS, untilMs: TIME_MS + 10 });
  const at = (timestampMs: number, key: string | null = 'cam-1') =>
    selects(record(0, { timestampMs, key }));
  expect([at(TIME_MS - 1), at(TIME_MS), at(TIME_MS + 9), at(TIME_MS + 10)]).toEqual([
    ...[false, true, true, false],
  ]);
  expect([at(TIME_MS, 'gate'), at(TIME_MS, 'gate-2'), at(TIME_MS, null)]).toEqual([
    ...[true, false, false],
  ]);
});

it('leaves out the copy that a redrive has made', () => {
  const headers = { 'redriven-from': Buffer.from('3:17 1') };
  expect(selector({})(record(0, { headers }))).toBe(false);
});
