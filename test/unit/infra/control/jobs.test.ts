import { describe, expect, it } from 'vitest';
import { withOffice } from './control-office.ts';

/** What jobs do over HTTP with a Redis is in test/integration/servers/control-api-redis-away. */
const ORDER = { reason: 'bitstream-tables-unknown' };

describe('without a Redis', () => {
  it.each([
    ['GET', '/v1/jobs', undefined],
    ['GET', '/v1/jobs/night', undefined],
    ['POST', '/v1/jobs', { kind: 'redrive', order: ORDER }],
    ['POST', '/v1/jobs/night/pause', undefined],
    ['POST', '/v1/jobs/night/resume', undefined],
    ['POST', '/v1/jobs/night/cancel', undefined],
    ['POST', '/v1/jobs/night/retry', undefined],
    ['DELETE', '/v1/jobs/night', undefined],
    ['POST', '/v1/dead-letters/redrive', ORDER],
  ] as const)('%s %s says when to come back', (method, url, body) =>
    withOffice(async (office) => {
      const answer = await office.ask(method, url, body);
      expect(answer).toMatchObject({ status: 503, body: { code: 'queue-unavailable' } });
      expect(answer.body.detail).toBe('Redis is not running.');
      expect(answer.headers['retry-after']).toBe('2');
      expect(office.log).toEqual([]);
    }),
  );
});

describe('a wrong order', () => {
  it.each([
    [{ kind: 'redrive', order: {} }, 'which letters? None is named.'],
    [{ kind: 'redrive', order: { reson: 'x' } }, 'there is no "reson"'],
    [{ kind: 'backfill', order: { rate: -1 } }, 'rate must be a number above 0, but is -1.'],
    [{ kind: 'backfill', order: { since: 'tonight' } }, 'since must be a time such as'],
    [{ kind: 'laundry', order: {} }, 'laundry'],
    [{ kind: 'redrive', order: ORDER, id: '12' }, '"12" is no id'],
    [{ kind: 'redrive', order: 'all' }, 'the body is wrong: order must be an object'],
    [{ kind: 'redrive' }, 'the body is wrong: order is missing'],
    [{ kind: 'redrive', order: ORDER, when: 'now' }, 'when is not known here'],
  ])('%j is refused', (body, detail) =>
    withOffice(async (office) => {
      const answer = await office.ask('POST', '/v1/jobs', body);
      expect(answer.status).toBe(400);
      expect(answer.body.detail).toContain(detail);
    }),
  );

  it('is refused as a redrive, too', () =>
    withOffice(async (office) => {
      const answer = await office.ask('POST', '/v1/dead-letters/redrive', {});
      expect(answer).toMatchObject({ status: 400, body: { advice: 'Give a filter, or all.' } });
    }));
});

it.each(['?status=asleep', '?limit=9999', '?page=2'])('/v1/jobs%s is refused', (query) =>
  withOffice(async (office) => {
    expect((await office.ask('GET', `/v1/jobs${query}`)).status).toBe(400);
  }),
);
