import { systemClock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { EXIT, runProcess } from '#runtime/lifecycle.ts';
import { createLogger } from '#runtime/log.ts';
import { brokerSettings, type Environment, readEnvironment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import type { BalanceReport } from './balance.ts';
import { renderBalance } from './balance-table.ts';
import { localBrokers } from './local-brokers.ts';
import { print } from './print.ts';
import { readBalance } from './read-balance.ts';

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
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const settings = brokerSettings(environment, 'balance', brokers);
  const broker = openKafka(settings, { clock, logger });
  let report: BalanceReport;
  try {
    const framing = await openFraming(environment.schemaRegistryUrl, topics);
    report = await readBalance({ broker, topics, framing, clock, stopping, heads });
  } finally {
    await broker.close();
  }
  if (stopping.aborted) throw new HalfsightError('usage-invalid', 'stopped before the end.');
  await print(renderBalance(report));
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
