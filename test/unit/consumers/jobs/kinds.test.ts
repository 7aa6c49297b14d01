import { describe, expect, it } from 'vitest';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { kindNamed, readOrder } from '#consumers/jobs/order-fields.ts';

const NOW_MS = Date.UTC(2026, 10, 28, 20);

const check = (name: string, order: Readonly<Record<string, unknown>>) =>
  readOrder(kindNamed(KINDS, name), order, NOW_MS);

it('no kind has the name of another one, nor a field that the command has itself', () => {
  const names = KINDS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  const fields = KINDS.flatMap((kind) => Object.keys(kind.fields));
  for (const own of ['id', 'json', 'help']) expect(fields).not.toContain(own);
  for (const field of [...names, ...fields]) expect(field).toMatch(/^[a-z][a-z-]*$/);
});

describe('backfill', () => {
  it('is about everything, or about what is named', () => {
    check('backfill', {});
    check('backfill', {
      ...{ heads: ['detection-2'], cameras: ['gate'], rate: 20, bundle: 'models/bundles/b' },
      ...{ since: '2026-11-28T18:00:00Z', until: '2026-11-28T19:00:00Z' },
    });
  });

  it.each([
    [{ cameras: ['a b'] }, /"a b" can be no camera's id/],
    [{ since: '2026-11-29' }, /yet to come/],
    [{ since: '2026-11-28T10:00:00Z', until: '2026-11-28T09:00:00Z' }, /begin at .* and end at/],
  ])('%j is refused when it is added', (order, message) => {
    expect(() => check('backfill', order)).toThrow(message);
  });
});

describe('redrive', () => {
  it('wants to know which letters', () => {
    for (const order of [{ camera: 'gate' }, { until: '2026-11-28' }, { all: true }]) {
      check('redrive', order);
    }
    for (const order of [{}, { note: 'why not' }, { all: false }]) {
      expect(() => check('redrive', order)).toThrow(/None is named/);
    }
  });
});
