import { describe, expect, it } from 'vitest';
import { judge } from '#consumers/jobs/queue-connection.ts';
import { HalfsightError } from '#runtime/errors.ts';

const system = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' });

describe('what a failure says of Redis', () => {
  it.each([
    [system('ECONNREFUSED'), 'queue-unavailable', /is not running/],
    [system('ECONNRESET'), 'queue-unavailable', /the connection to Redis failed/],
    [new Error('Connection is closed.'), 'queue-unavailable', /the connection to Redis failed/],
    [reply('LOADING Redis is loading'), 'queue-unavailable', /Redis answers: LOADING/],
    [reply('READONLY You can not write'), 'queue-unavailable', /Redis answers: READONLY/],
    [reply('WRONGPASS invalid'), 'queue-refused', /Redis answers: WRONGPASS/],
    [reply('NOPERM no permissions'), 'queue-refused', /Redis answers: NOPERM/],
  ])('%s: %s', (error, code, message) => {
    const judged = judge(error);
    expect(judged).toMatchObject({ code, cause: error });
    expect(judged?.message).toMatch(message);
    expect(judged?.advice).toContain('REDIS_URL');
  });

  it('errors of our own are what they are, and mistakes say nothing', () => {
    const own = new HalfsightError('job-missing', 'there is no job "x".');
    expect(judge(own)).toBe(own);
    expect(judge(new TypeError('x is undefined'))).toBeUndefined();
    expect(judge('x')).toBeUndefined();
  });
});
