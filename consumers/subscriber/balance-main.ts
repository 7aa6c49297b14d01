import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { CommandLine, FLAG } from '#runtime/command-line.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { brokerSettings, type Environment, readEnvironment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import type { BalanceReport } from './balance.ts';
import { renderBalance } from './balance-table.ts';
import { localBrokers } from './local-servers.ts';
import { print } from './print.ts';
import { readBalance } from './read-balance.ts';

/** `npm run balance`, which `npx halfsight balance` is too. */
const USAGE = `Usage: npx halfsight balance [--json]

Reads all topics from their beginning to their present end, and says for every camera and epoch what
became of its frames: captured = results of each head + dropped + dead letters.

  --json  the same as one JSON object
  --help

KAFKA_BROKERS says where Kafka is, KAFKA_TOPIC_PREFIX which installation is meant, HALFSIGHT_HEADS
which heads must answer each frame; default: those of which there is any result. Exit code 1: it
does not add up, or Kafka did not answer; 2: the arguments or the environment are wrong.
`;

const line = new CommandLine('See npx halfsight balance --help.');

await runCommand(async (args, stopping) => {
  const { json, help } = line.readOptions(args, { json: FLAG, help: FLAG });
  if (help) {
    await print(USAGE);
    return true;
  }
  const report = await balance(stopping);
  await print(json ? `${JSON.stringify(report)}\n` : renderBalance(report));
  return report.balanced;
});

async function balance(stopping: AbortSignal): Promise<BalanceReport> {
  const environment = readEnvironment();
  const clock = systemClock;
  const topics = topicTable({ prefix: environment.topicPrefix });
  const heads = headsOf(environment);
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const settings = brokerSettings(environment, 'balance', brokers);
  const broker = openKafka(settings, { clock, logger: commandLogger });
  let report: BalanceReport;
  try {
    const framing = await openFraming(environment.schemaRegistry, topics);
    report = await readBalance({ broker, topics, framing, clock, stopping, heads });
  } finally {
    await broker.close();
  }
  if (stopping.aborted) throw new HalfsightError('usage-invalid', 'stopped before the end.');
  return report;
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
