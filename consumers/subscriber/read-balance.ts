import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Framing } from '#schemas/framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { Balance, type BalanceReport } from './balance.ts';
import { BalanceFeed } from './balance-feed.ts';
import { readToEnd } from './read-to-end.ts';

export interface ReadBalanceOptions {
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  /** The heads that must answer each frame. Default: those of which there is any result. */
  readonly heads?: readonly Task[] | undefined;
}

/** The balance of all that is on the topics, from their beginning to their present end. */
export async function readBalance(options: ReadBalanceOptions): Promise<BalanceReport> {
  const { broker, topics, framing, clock, stopping, heads } = options;
  const balance = new Balance(heads === undefined ? {} : { heads });
  const feed = new BalanceFeed(balance, topics, framing);
  const results = TASKS.map((task) => topics.results[task].name);
  const judged = new Set([topics.frames.name, ...results]);
  const trimmed = new Set<number>();
  await readToEnd({
    ...{ broker, clock, stopping },
    topics: [topics.status.name, ...results, topics.deadLetters.name, topics.frames.name],
    transactional: new Set([...results, topics.deadLetters.name]),
    onTrimmed: (topic, partitions) => {
      if (!judged.has(topic)) return;
      for (const partition of partitions) trimmed.add(partition);
    },
    onRecord: async (record) => {
      // A camera is in the same partition on every topic.
      if (record.key !== null && trimmed.has(record.partition)) balance.trimmed(record.key);
      await feed.enter(record);
    },
  });
  return balance.report();
}
