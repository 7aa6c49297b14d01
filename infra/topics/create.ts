import type { Broker, TopicDifference, TopicSpec } from '#runtime/broker.ts';
import { backfillSpecs, type TopicTable, topicSpecs } from '#schemas/topics.ts';

/** All topics that there are: those of the table, and those of backfills. */
export function allSpecs(topics: TopicTable): TopicSpec[] {
  return [...topicSpecs(topics), ...backfillSpecs(topics)];
}

/** Makes the broker's topics what the table says; one line for each thing that differed. */
export async function createTopics(broker: Broker, topics: TopicTable): Promise<string[]> {
  const differences = await broker.ensureTopics(allSpecs(topics));
  return differences.map(describe);
}

function describe({ topic, setting, wanted, found, action }: TopicDifference): string {
  const was = found === undefined ? '' : ` (was ${found})`;
  switch (action) {
    case 'created':
      return `created  ${topic}`;
    case 'altered':
      return `altered  ${topic}: ${setting} = ${wanted}${was}`;
    case 'manual':
      return `differs  ${topic}: ${setting} is ${found}, the table says ${wanted}: do that by hand`;
  }
}
