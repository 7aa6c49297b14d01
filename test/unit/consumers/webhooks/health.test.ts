import { describe, expect, it } from 'vitest';
import { judge, stateOf, type Trouble } from '#consumers/webhooks/health.ts';
import { LIMITS } from '#runtime/limits.ts';

const TROUBLE: Trouble = {
  outcome: { status: 503, retryAfterMs: undefined },
  failures: 1,
  failingForMs: 0,
  parkAfterMs: 3_600_000,
  tries: 1,
};

describe('after a failure', () => {
  it('a hook waits twice as long each time, up to a limit, by chance half of it', () => {
    const delays = (random: number) =>
      Array.from({ length: 40 }, (_, index) => {
        const verdict = judge({ ...TROUBLE, failures: index + 1 }, random);
        return verdict.kind === 'retry' ? verdict.delayMs : Number.NaN;
      });
    const longest = delays(0.999_999_999);
    expect(longest.slice(0, 4)).toEqual([500, 1_000, 2_000, 4_000]);
    expect(longest.at(-1)).toBe(LIMITS.webhookRetryDelayMsMax);
    expect(delays(0)).toEqual(longest.map((delay) => delay / 2));
  });

  it('it waits as long as it is asked to, within the limit', () => {
    const asked = (retryAfterMs: number) =>
      judge({ ...TROUBLE, outcome: { status: 429, retryAfterMs } }, 0);
    expect(asked(60_000)).toEqual({ kind: 'retry', delayMs: 60_000 });
    expect(asked(1)).toEqual({ kind: 'retry', delayMs: 250 });
    const delayMs = LIMITS.webhookRetryDelayMsMax;
    expect(asked(86_400_000)).toEqual({ kind: 'retry', delayMs });
  });

  it('it is parked when it has failed for long and often enough', () => {
    const dead = { ...TROUBLE, failures: 5, failingForMs: 3_600_000 };
    expect(judge(dead, 0).kind).toBe('park');
    expect(judge({ ...dead, failures: 4 }, 0).kind).toBe('retry');
    expect(judge({ ...dead, failingForMs: 3_599_999 }, 0).kind).toBe('retry');
  });

  it('it is parked at once when the receiver is gone for good', () => {
    const outcome = { status: 410, retryAfterMs: undefined };
    expect(judge({ ...TROUBLE, outcome }, 0).kind).toBe('park');
  });

  it('an event that is refused itself is set aside in the end, and no other', () => {
    const tries = LIMITS.webhookRefusalsMax;
    const refused = (status: number | undefined, times: number) =>
      judge({ ...TROUBLE, outcome: { status, retryAfterMs: undefined }, tries: times }, 0).kind;
    for (const status of [400, 413, 415, 422]) {
      expect(refused(status, tries)).toBe('set-aside');
      expect(refused(status, tries - 1)).toBe('retry');
    }
    for (const status of [401, 404, 429, 500, undefined]) {
      expect(refused(status, tries)).toBe('retry');
    }
  });
});

describe('stateOf', () => {
  it('is that of the last attempt, unless it is parked', () => {
    const health = {
      ...{ delivered: 1, failures: 0, failingSinceMs: undefined, lastFailure: undefined },
      ...{ parkedMs: undefined, refused: 0, tooLarge: 0, deleted: 0 },
    };
    expect(stateOf(health)).toBe('active');
    expect(stateOf({ ...health, failures: 1 })).toBe('failing');
    expect(stateOf({ ...health, parkedMs: 5 })).toBe('parked');
  });
});
