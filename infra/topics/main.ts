import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { CommandLine, FLAG } from '#runtime/command-line.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import { allSpecs, createTopics } from './create.ts';
import { registerSchemas } from './register.ts';

/** `npm run topics`, which `npx halfsight topics` is too. */
const USAGE = `Usage: npx halfsight topics

Creates the topics of schemas/topics.ts, alters settings that differ, and says what it did, and what
only a person may do. With SCHEMA_REGISTRY_URL set it first registers every version of the schemas,
under the rule FULL_TRANSITIVE. Running it again is harmless.

KAFKA_BROKERS says where Kafka is, KAFKA_TOPIC_PREFIX how their names begin, KAFKA_PARTITIONS how
many partitions each has, and KAFKA_REPLICATION_FACTOR how many replicas.
`;

const line = new CommandLine('See npx halfsight topics --help.');

await runCommand(async (args) => {
  if (line.readOptions(args, { help: FLAG }).help) {
    process.stdout.write(USAGE);
    return true;
  }
  const environment = readEnvironment();
  const { topicPrefix, partitionCount, replicationFactor } = environment;
  const topics = topicTable({ prefix: topicPrefix, partitionCount, replicationFactor });
  const broker = openKafka(brokerSettings(environment, 'topics'), {
    clock: systemClock,
    logger: commandLogger,
  });
  try {
    const { schemaRegistry: settings } = environment;
    // First, so that a schema that is refused changes nothing else.
    const registry = settings && connectSchemaRegistry(settings);
    const registered = registry === undefined ? [] : await registerSchemas(registry, topics);
    const lines = [...registered, ...(await createTopics(broker, topics))];
    const same = `${allSpecs(topics).length} topics are as schemas/topics.ts says`;
    process.stdout.write(`${lines.length === 0 ? same : lines.join('\n')}\n`);
    return true;
  } finally {
    await broker.close();
  }
});
