import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { topicTable } from '#schemas/topics.ts';
import { allSpecs, createTopics } from './create.ts';

/**
 * `npm run topics`: creates the topics of schemas/topics.ts on KAFKA_BROKERS, alters settings that
 * differ, and says what it did. Running it again is harmless.
 */
const logger = createLogger({ level: 'warn', format: 'text' });

await runProcess(logger, async () => {
  const environment = readEnvironment();
  const { topicPrefix, partitionCount, replicationFactor } = environment;
  const topics = topicTable({ prefix: topicPrefix, partitionCount, replicationFactor });
  const settings = brokerSettings(environment, 'topics');
  const broker = openKafka(settings, { clock: systemClock, logger });
  try {
    const lines = await createTopics(broker, topics);
    const same = `${allSpecs(topics).length} topics are as schemas/topics.ts says`;
    process.stdout.write(`${lines.length === 0 ? same : lines.join('\n')}\n`);
  } finally {
    await broker.close();
  }
});
