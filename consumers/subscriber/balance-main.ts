import { systemClock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { EXIT, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { brokerSettings, type Environment, readEnvironment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { Balance } from './balance.ts';
import { BalanceFeed } from './balance-feed.ts';
import { renderBalance } from './balance-table.ts';
import { localBrokers } from './local-brokers.ts';
import { readToEnd } from './read-to-end.ts';

/**
 * `npm run balance`: reads all topics from their beginning to their present end and says for every
 * camera and epoch what became of its frames. Exits with 1 if it does not add up. HALFSIGHT_HEADS
 * names the heads that must answer each frame; default: those of which there is any result.
 */
const logger = createLogger({ level: 'error', format: 'text' });

await runProcess(logger, async ({ stopping }) => {
  let exitCode: number = EXIT.failed;
  try {
    exitCode = (await balance(stopping)) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
  }
  process.exit(exitCode);
});

async function balance(stopping: AbortSignal): Promise<boolean> {
  const environment = readEnvironment();
  const clock = systemClock;
  const topics = topicTable({ prefix: environment.topicPrefix });
  const heads = headsOf(environment);
  const sum = new Balance(heads === undefined ? {} : { heads });
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const settings = brokerSettings(environment, 'balance', brokers);
  const broker = openKafka(settings, { clock, logger });
  const trimmed = new Set<number>();
  try {
    const framing = await openFraming(environment.schemaRegistryUrl, topics);
    const feed = new BalanceFeed(sum, topics, framing);
    const results = TASKS.map((task) => topics.results[task].name);
    const judged = new Set([topics.frames.name, ...results]);
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
        if (record.key !== null && trimmed.has(record.partition)) sum.trimmed(record.key);
        await feed.enter(record);
      },
    });
  } finally {
    await broker.close();
  }
  if (stopping.aborted) throw new HalfsightError('usage-invalid', 'stopped before the end.');
  const report = sum.report();
  // What is left in a pipe's buffer dies with the process.
  await new Promise<void>((resolve) => {
    process.stdout.write(renderBalance(report), () => resolve());
  });
  return report.balanced;
}

function headsOf({ heads }: Environment): readonly Task[] | undefined {
  const unknown = heads?.find((head) => !TASKS.some((task) => task === head));
  if (unknown !== undefined) {
    throw new HalfsightError('settings-invalid', `HALFSIGHT_HEADS names "${unknown}".`, {
      advice: `Tasks are: ${TASKS.join(', ')}.`,
    });
  }
  return heads && TASKS.filter((task) => heads.includes(task));
}
