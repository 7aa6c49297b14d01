import { describe, expect, it } from 'vitest';
import { changeAccess, planAccess } from '#infra/acls/plan.ts';
import type { AccessControl, AccessRule } from '#runtime/access-control.ts';

const rule = (changes: Partial<AccessRule> = {}): AccessRule => ({
  principal: 'User:gate',
  host: '*',
  permission: 'ALLOW',
  operation: 'WRITE',
  resource: 'TOPIC',
  pattern: 'LITERAL',
  name: 'site.camera.frame.v1',
  ...changes,
});
const FRAMES = rule();
const STATUS = rule({ name: 'site.camera.status.v1' });

/** The port, in memory. */
function accessWith(rules: readonly AccessRule[]): AccessControl & { rules: AccessRule[] } {
  const same = (one: AccessRule) => (other: AccessRule) =>
    JSON.stringify(one) === JSON.stringify(other);
  const access = {
    rules: [...rules],
    list: async () => [...access.rules],
    add: async (added: readonly AccessRule[]) => void access.rules.push(...added),
    remove: async (removed: readonly AccessRule[]) => {
      access.rules = access.rules.filter((kept) => !removed.some(same(kept)));
    },
    close: async () => undefined,
  };
  return access;
}

describe('planAccess', () => {
  it('tells what is missing from what is there, each once', () => {
    const plan = planAccess([FRAMES, STATUS, FRAMES], [STATUS]);
    expect(plan).toEqual({ missing: [FRAMES], present: [STATUS], foreign: [] });
  });

  it.each([
    ['the same user, elsewhere', rule({ name: 'other', operation: 'READ' })],
    ['another user', rule({ principal: 'User:thief' })],
    ['everybody', rule({ principal: 'User:*' })],
    ['a refusal', rule({ permission: 'DENY' })],
    ['one host only', rule({ host: '10.0.0.1' })],
    ['all topics', rule({ principal: 'User:thief', name: '*' })],
    ['a prefix of ours', rule({ principal: 'User:thief', name: 'si', pattern: 'PREFIXED' })],
    ['an operation that we do not know', rule({ principal: 'User:x', operation: 'UNKNOWN' })],
  ])('foreign: %s', (_, other) => {
    expect(planAccess([FRAMES], [FRAMES, other]).foreign).toEqual([other]);
  });

  it.each([
    ['another topic', rule({ principal: 'User:x', name: 'site.camera.frame.v10' })],
    ['another prefix', rule({ principal: 'User:x', name: 'shop', pattern: 'PREFIXED' })],
    ['a group of that name', rule({ principal: 'User:x', resource: 'GROUP' })],
  ])('none of our business: %s', (_, other) => {
    expect(planAccess([FRAMES], [other]).foreign).toEqual([]);
  });
});

describe('changeAccess', () => {
  const wanted = [FRAMES, STATUS];
  const thief = rule({ principal: 'User:thief' });

  it('grants what is missing, and leaves the rest', async () => {
    const access = accessWith([STATUS, thief]);
    const lines = await changeAccess(access, { wanted, change: 'grant', dryRun: false });
    expect(lines).toEqual([
      'created  User:gate allow WRITE on topic site.camera.frame.v1',
      'exists  User:gate allow WRITE on topic site.camera.status.v1',
      'foreign  User:thief allow WRITE on topic site.camera.frame.v1',
    ]);
    expect(access.rules).toEqual([STATUS, thief, FRAMES]);
  });

  it('revokes what is there, and leaves the rest', async () => {
    const access = accessWith([STATUS, thief]);
    const lines = await changeAccess(access, { wanted, change: 'revoke', dryRun: false });
    expect(lines.map((line) => line.split(' ')[0])).toEqual(['deleted', 'absent', 'foreign']);
    expect(access.rules).toEqual([thief]);
  });

  it.each(['grant', 'revoke'] as const)('%s, dry: changes nothing', async (change) => {
    const access = accessWith([STATUS]);
    const lines = await changeAccess(access, { wanted, change, dryRun: true });
    expect(lines[0]).toMatch(/^would (create|delete) {2}User:gate/);
    expect(access.rules).toEqual([STATUS]);
  });

  it('shows prefixes, hosts and refusals for what they are', async () => {
    const odd = rule({ pattern: 'PREFIXED', name: 'site.', host: '10.0.0.1', permission: 'DENY' });
    const [, line] = await changeAccess(accessWith([odd]), {
      ...{ wanted: [FRAMES], change: 'grant', dryRun: true },
    });
    expect(line).toBe('foreign  User:gate deny WRITE on topic site.* (prefixed) from 10.0.0.1');
  });
});
