import type { AccessControl, AccessRule } from '#runtime/access-control.ts';

export interface AccessPlan {
  readonly missing: readonly AccessRule[];
  readonly present: readonly AccessRule[];
  /** Not asked for, but about the same users, topics, groups or transactional ids. */
  readonly foreign: readonly AccessRule[];
}

export function planAccess(
  wanted: readonly AccessRule[],
  existing: readonly AccessRule[],
): AccessPlan {
  const asked = new Map(wanted.map((rule) => [lineOf(rule), rule]));
  const found = new Map(existing.map((rule) => [lineOf(rule), rule]));
  const others = [...found].filter(([line]) => !asked.has(line)).map(([, rule]) => rule);
  return {
    missing: [...asked].filter(([line]) => !found.has(line)).map(([, rule]) => rule),
    present: [...asked].filter(([line]) => found.has(line)).map(([, rule]) => rule),
    foreign: others.filter((other) => wanted.some((rule) => concerns(other, rule))),
  };
}

/** Whether `other` may give or take what `rule` is about. */
function concerns(other: AccessRule, rule: AccessRule): boolean {
  if (other.principal === rule.principal) return true;
  if (other.resource !== rule.resource) return false;
  if (other.pattern !== 'LITERAL') return rule.name.startsWith(other.name);
  return other.name === '*' || other.name === rule.name;
}

export interface AccessChange {
  readonly wanted: readonly AccessRule[];
  readonly change: 'grant' | 'revoke';
  readonly dryRun: boolean;
}

/** Grants or revokes what is wanted; one line for each rule. */
export async function changeAccess(
  access: AccessControl,
  { wanted, change, dryRun }: AccessChange,
): Promise<string[]> {
  const { missing, present, foreign } = planAccess(wanted, await access.list());
  const isGrant = change === 'grant';
  const changing = isGrant ? missing : present;
  const unchanged = isGrant ? present : missing;
  if (!dryRun) await (isGrant ? access.add(changing) : access.remove(changing));
  const verb = isGrant ? 'create' : 'delete';
  const done = dryRun ? `would ${verb}` : `${verb}d`;
  return [
    ...changing.map((rule) => `${done}  ${lineOf(rule)}`),
    ...unchanged.map((rule) => `${isGrant ? 'exists' : 'absent'}  ${lineOf(rule)}`),
    ...foreign.map((rule) => `foreign  ${lineOf(rule)}`),
  ];
}

function lineOf({ principal, host, permission, operation, resource, pattern, name }: AccessRule) {
  const kind = resource.toLowerCase().replaceAll('_', ' ');
  const from = host === '*' ? '' : ` from ${host}`;
  const which = pattern === 'LITERAL' ? name : `${name}* (${pattern.toLowerCase()})`;
  return `${principal} ${permission.toLowerCase()} ${operation} on ${kind} ${which}${from}`;
}
