import { describe, expect, it } from 'vitest';
import { lagText, noticesOf } from '#consumers/dashboard/page/notices.ts';
import { isOld } from '#consumers/dashboard/page/wall/old.ts';
import { LIMITS } from '#runtime/limits.ts';
import { fleetAt, rowAt } from '#test/fixtures/wall-scene.ts';

const NOW_MS = 1_700_000_000_000;
const facts = { nowMs: NOW_MS, pageMs: NOW_MS, fleet: undefined };

describe('noticesOf', () => {
  it('nothing while all is well, or nothing is known yet', () => {
    expect(noticesOf({ ...facts, link: { state: 'connecting' } })).toEqual([]);
    const fleet = fleetAt(3, NOW_MS);
    expect(noticesOf({ ...facts, fleet, link: { state: 'open' } })).toEqual([]);
  });

  it('what the server tells of, in its order, and for how long', () => {
    const troubles = [
      { severity: 'critical', text: 'Consumers do not answer.', sinceUs: (NOW_MS - 7_000) * 1e3 },
      { severity: 'warning', text: 'It is offline.', sinceUs: NOW_MS * 1e3, cameraId: 'gate' },
    ] as const;
    const fleet = { ...fleetAt(3, NOW_MS), troubles };
    const notices = noticesOf({ ...facts, fleet, link: { state: 'open' } });
    expect(notices).toMatchObject([
      { severity: 'critical', text: 'Consumers do not answer.', detail: '(for 7 s)' },
      { severity: 'warning', text: 'It is offline.', detail: '(for 1 s)', cameraId: 'gate' },
    ]);
  });

  it('a lost connection above all: what was known before may be wrong by now', () => {
    const troubles = [{ severity: 'warning', text: 'old', sinceUs: 0 }] as const;
    const link = { state: 'lost', sinceMs: NOW_MS - 9_000, retryAtMs: NOW_MS + 3_200 } as const;
    const notices = noticesOf({ ...facts, fleet: { ...fleetAt(3, NOW_MS), troubles }, link });
    expect(notices).toHaveLength(1);
    const detail = 'Trying again in 4 s.';
    expect(notices[0]).toMatchObject({ key: 'link', severity: 'critical', detail });
    expect(notices[0]?.text).toMatch(/^No connection .* since \d\d:\d\d:\d\d: /);
  });
});

describe('lagText', () => {
  it.each([
    [null, null, '–'],
    [0, 0, 'none'],
    [12, 0.25, '12 · 250 ms'],
    [12, null, '12'],
  ])('%s records, %s seconds: %s', (records, seconds, text) => {
    expect(lagText({ records, seconds })).toBe(text);
  });
});

describe('isOld', () => {
  it('after seconds, or after some frames where these are rarer', () => {
    const quick = { ...rowAt(0, 0), framesPerSecond: 10 };
    expect(isOld(LIMITS.wallPictureOldMs, quick)).toBe(false);
    expect(isOld(LIMITS.wallPictureOldMs + 1, quick)).toBe(true);
    expect(isOld(LIMITS.wallPictureOldMs + 1, { ...quick, framesPerSecond: 0.1 })).toBe(false);
    expect(isOld(LIMITS.wallPictureOldMs + 1, { ...quick, framesPerSecond: 0 })).toBe(true);
  });
});
