import { describe, expect, it } from 'vitest';
import type { Fields, JobKind } from '#consumers/jobs/kind.ts';
import { kindNamed, orderOfOptions, readOrder } from '#consumers/jobs/order-fields.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';

const FIELDS = {
  file: { type: 'text', help: '', required: true },
  cameras: { type: 'list', help: '' },
  since: { type: 'time', help: '' },
  rate: { type: 'number', help: '' },
  limit: { type: 'count', help: '' },
  all: { type: 'flag', help: '' },
} as const satisfies Fields;

const KIND: JobKind<typeof FIELDS> = {
  name: 'export',
  summary: '',
  fields: FIELDS,
  check({ limit }, nowMs) {
    if (limit !== undefined && limit > nowMs)
      throw new HalfsightError('usage-invalid', 'too many.');
  },
  run: () => Promise.reject(new Error('not here')),
};

describe('an order', () => {
  it('has the values of its fields', () => {
    const order = {
      ...{ file: 'a.json', cameras: ['gate', 'yard'], since: '2026-11-28T20:00:00Z' },
      ...{ rate: 0.5, limit: 7, all: true },
    };
    expect(readOrder(KIND, order, 10)).toEqual({
      ...order,
      since: Date.UTC(2026, 10, 28, 20),
    });
    expect(readOrder(KIND, { file: 'a.json' }, 10)).toEqual({ file: 'a.json' });
  });

  it.each([
    [undefined, 'its order is no JSON object.'],
    [['file'], 'its order is no JSON object.'],
    [{}, 'file is missing.'],
    [{ file: '' }, 'file must be a text, but is "".'],
    [{ file: 'a', fps: 3 }, 'there is no "fps": there are file, cameras, since, rate, limit, all.'],
    [{ file: 'a', cameras: [] }, 'cameras must name one or more, but is [].'],
    [{ file: 'a', cameras: ['gate', ''] }, 'cameras must name one or more, but is ["gate",""].'],
    [{ file: 'a', cameras: 'gate' }, 'cameras must name one or more, but is "gate".'],
    [
      { file: 'a', since: '12h' },
      'since must be a time such as 2026-11-28T20:00:00Z, but is "12h".',
    ],
    [{ file: 'a', rate: 0 }, 'rate must be a number above 0, but is 0.'],
    [{ file: 'a', rate: 'fast' }, 'rate must be a number above 0, but is "fast".'],
    [{ file: 'a', limit: 1.5 }, 'limit must be a whole number from 1, but is 1.5.'],
    [{ file: 'a', all: 'yes' }, 'all must be true or false, but is "yes".'],
    [{ file: 'a', limit: 11 }, 'too many.'],
  ])('%j: %s', (order, message) => {
    const error = caught(() => readOrder(KIND, order, 10));
    expect(codeOf(error)).toBe('usage-invalid');
    expect(error?.message).toBe(message);
  });

  it('is made of what a person typed', () => {
    const typed = {
      ...{ file: '7', cameras: 'gate, yard', since: '2026-11-28', rate: '0.5', limit: '7' },
      all: true,
    };
    expect(orderOfOptions(FIELDS, typed)).toEqual({
      ...{ file: '7', cameras: ['gate', 'yard'], since: '2026-11-28', rate: 0.5, limit: 7 },
      all: true,
    });
    expect(orderOfOptions(FIELDS, { rate: 'fast' })).toEqual({ rate: 'fast' });
  });
});

it('a kind that there is not is refused, with those that there are', () => {
  expect(kindNamed([KIND], 'export')).toBe(KIND);
  expect(caught(() => kindNamed([KIND], 'import'))).toMatchObject({
    ...{ code: 'usage-invalid', message: 'there is no kind of job "import".' },
    advice: 'There are export.',
  });
});

function caught(work: () => unknown): Error | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
