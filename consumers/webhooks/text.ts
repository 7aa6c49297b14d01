import { type Column, textTable } from '#consumers/subscriber/text-table.ts';
import type { Task } from '#schemas/result.ts';
import { type Health, type HookState, stateOf } from './health.ts';
import type { Outcome } from './post.ts';

/** How a hook does, as the operator sees it. */
export interface HookStatus extends Health {
  readonly name: string;
  readonly topic: Task;
  readonly state: HookState;
  /** Events in Redis. */
  readonly waiting: number;
  /** Results of all cameras on its topic that it has not read. */
  readonly unread: number;
}

const COLUMNS: readonly Column[] = [
  { title: 'HOOK' },
  { title: 'TOPIC' },
  { title: 'STATE' },
  { title: 'DELIVERED', align: 'right' },
  { title: 'WAITING', align: 'right' },
  { title: 'UNREAD', align: 'right' },
  { title: 'WHY' },
];

export function listText(hooks: readonly HookStatus[]): string {
  return `${textTable(COLUMNS, hooks.map(rowOf)).join('\n')}\n`;
}

function rowOf(hook: HookStatus): string[] {
  const { name, topic, delivered, waiting, unread } = hook;
  return [name, topic, stateOf(hook), ...[delivered, waiting, unread].map(String), whyOf(hook)];
}

/** What an operator should know beyond the counts. */
function whyOf(hook: HookStatus): string {
  const { failures, failingSinceMs, lastFailure, parkedMs, refused, tooLarge, deleted } = hook;
  const since = (ms: number) => new Date(ms).toISOString().slice(0, 19);
  return [
    ...(parkedMs === undefined ? [] : [`parked ${since(parkedMs)}`]),
    ...(failingSinceMs === undefined
      ? []
      : [`${failures} failures since ${since(failingSinceMs)}: ${lastFailure ?? ''}`]),
    ...(refused === 0 ? [] : [`${refused} set aside`]),
    ...(tooLarge === 0 ? [] : [`${tooLarge} too large`]),
    ...(deleted === 0 ? [] : [`up to ${deleted} deleted unread`]),
  ].join('; ');
}

/** `accepted: answers 200 in 12 ms`, and what it said. */
export function testText({ isAccepted, text, tookMs, answer }: Outcome): string {
  const first = `${isAccepted ? 'accepted' : 'NOT accepted'}: ${text}, after ${tookMs} ms\n`;
  return answer === '' ? first : `${first}${answer.trimEnd()}\n`;
}
