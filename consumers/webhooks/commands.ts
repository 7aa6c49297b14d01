import type { Redis } from 'ioredis';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { freshSeed } from '#runtime/random.ts';
import { type TopicTable, webhookGroups } from '#schemas/topics.ts';
import { stateOf } from './health.ts';
import type { Hook } from './hook.ts';
import { HookStore } from './hook-store.ts';
import { type Outcome, post } from './post.ts';
import type { HookStatus } from './text.ts';

export interface ListOptions {
  readonly hooks: readonly Hook[];
  readonly redis: Redis;
  /** Of this installation, as `KAFKA_TOPIC_PREFIX` is. */
  readonly prefix: string;
  readonly broker: Broker;
  readonly topics: TopicTable;
}

/** Each call is told of its own failure. */
const ignore = () => undefined;

export async function listHooks(options: ListOptions): Promise<readonly HookStatus[]> {
  const { hooks, redis, prefix } = options;
  const found: HookStatus[] = [];
  for (const hook of hooks) {
    const { name, task: topic } = hook;
    const store = new HookStore(redis, prefix, name, ignore);
    const health = await store.health();
    const [waiting, unread] = [await store.waiting(), await unreadBy(hook, options)];
    found.push({ name, topic, state: stateOf(health), waiting, unread, ...health });
  }
  return found;
}

/** A hook that has not begun yet has nothing to read. */
async function unreadBy(hook: Hook, { broker, topics }: ListOptions): Promise<number> {
  const topic = topics.results[hook.task].name;
  const group = `${webhookGroups(topics)[hook.task]}${hook.name}`;
  const positions = await broker.committedOffsets(group, topic);
  const unread = (await broker.offsets(topic)).map(({ partition, low, high }) => {
    const position = positions.get(partition);
    return position === undefined ? 0 : high - Math.max(low, position);
  });
  return unread.reduce((sum, one) => sum + one, 0);
}

export async function resumeHook(redis: Redis, prefix: string, hook: Hook): Promise<void> {
  await new HookStore(redis, prefix, hook.name, ignore).resume();
}

/** Sends an event that stands for no result, past the queue. */
export function testHook(hook: Hook, clock: Clock): Promise<Outcome> {
  const sentTimeUs = clock.nowUs();
  const id = `msg_test_${sentTimeUs}_${freshSeed().toString(36)}`;
  const body = JSON.stringify({ test: true, hook: hook.name, task: hook.task, sentTimeUs });
  return post({ id, body }, hook, clock);
}

/** Throws `usage-invalid` where there is none. */
export function hookNamed(hooks: readonly Hook[], name: string): Hook {
  const hook = hooks.find((known) => known.name === name);
  if (hook !== undefined) return hook;
  throw new HalfsightError('usage-invalid', `there is no hook "${name}".`, {
    advice: `There are ${hooks.map((known) => known.name).join(', ')}.`,
  });
}
