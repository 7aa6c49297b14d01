import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { backfillTopics, topicTable } from '#schemas/topics.ts';
import { EXPORT_USAGE, type ExportArguments, readExportArguments } from './arguments.ts';
import { runExport } from './export.ts';
import { progressText, summaryText } from './text.ts';

/** `npx halfsight export`: see EXPORT_USAGE. Exits with 1 when it was stopped before the end. */

await runCommand(async (args, stopping) => {
  const read = readExportArguments(args, process.cwd());
  if (read !== 'help') return await run(read, stopping);
  await print(EXPORT_USAGE);
  return true;
});

async function run({ order, json }: ExportArguments, stopping: AbortSignal): Promise<boolean> {
  const environment = readEnvironment();
  const clock = systemClock;
  const topics = topicTable({ prefix: environment.topicPrefix });
  const read = order.backfill === undefined ? topics : backfillTopics(topics);
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'export', brokers), {
    clock,
    logger: commandLogger,
  });
  try {
    const summary = await runExport({
      ...{ order, broker, topics, clock, stopping },
      framing: await openFraming(environment.schemaRegistry, read),
      onProgress: (progress) =>
        void print(`${json ? JSON.stringify(progress) : progressText(progress)}\n`),
    });
    if (summary === undefined) return false;
    await print(`${json ? JSON.stringify(summary) : summaryText(summary)}\n`);
    return true;
  } finally {
    await broker.close();
  }
}
