import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { type TopicTable, topicSpecs, topicTable } from '#schemas/topics.ts';

export function openBroker(brokers: readonly string[], clientId = 'bench'): Broker {
  const settings = { brokers, clientId, tls: undefined, sasl: undefined };
  return openKafka(settings, { clock: systemClock, logger: silentLogger });
}

/** Topics that nobody has written to: what is measured has them to itself. */
export async function createTopics(
  broker: Broker,
  prefix: string,
  partitionCount = 8,
): Promise<TopicTable> {
  const topics = topicTable({ prefix, partitionCount });
  await broker.ensureTopics(topicSpecs(topics));
  return topics;
}
