import { describe, expect, it } from 'vitest';
import { Sessions } from '#consumers/dashboard/session.ts';
import { readTokens } from '#runtime/access-tokens.ts';
import { LIMITS } from '#runtime/limits.ts';

const NOW_MS = 1_700_000_000_000;
const [maria, ops] = readTokens(`maria:${'m'.repeat(22)}\nops:${'o'.repeat(22)}`, 'A_TOKEN');
if (maria === undefined || ops === undefined) throw new Error('there are two tokens');

/** What a browser sends back. */
const cookieOf = (header: string) => header.split(';')[0] ?? '';

describe('Sessions', () => {
  const sessions = new Sessions([maria, ops]);
  const header = sessions.begin(ops, NOW_MS);

  it('are for this server alone, and out of reach of scripts', () => {
    expect(header).toContain('; Path=/; HttpOnly; SameSite=Strict');
    expect(header).toContain(`Max-Age=${LIMITS.wallSessionMs / 1000}`);
    expect(header).not.toContain('ooo');
  });

  it('hold for their time, among other cookies, and in another process', () => {
    const cookie = cookieOf(header);
    const other = new Sessions([ops]);
    for (const known of [sessions, other]) {
      expect(known.has(cookie, NOW_MS)).toBe(true);
      expect(known.has(`a=b; ${cookie}; c=d`, NOW_MS + LIMITS.wallSessionMs - 1)).toBe(true);
      expect(known.has(cookie, NOW_MS + LIMITS.wallSessionMs)).toBe(false);
    }
  });

  it('end with their token', () => {
    expect(new Sessions([maria]).has(cookieOf(header), NOW_MS)).toBe(false);
    expect(new Sessions([]).has(cookieOf(header), NOW_MS)).toBe(false);
  });

  it('cannot be made longer or made up', () => {
    const [name = '', rest = ''] = cookieOf(header).split('=');
    const [until = '', mac = ''] = rest.split('.');
    const later = String(Number(until) + 1);
    for (const value of [`${later}.${mac}`, `${until}.${'0'.repeat(64)}`, `${until}.`, until, '']) {
      expect(sessions.has(`${name}=${value}`, NOW_MS), value).toBe(false);
    }
    expect(sessions.has(undefined, NOW_MS)).toBe(false);
  });

  it('are ended by the browser that has one', () => {
    expect(sessions.end()).toMatch(/^halfsight-wall=; Max-Age=0;/);
    expect(sessions.has(cookieOf(sessions.end()), NOW_MS)).toBe(false);
  });
});
