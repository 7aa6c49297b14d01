import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { readToEnd } from '#consumers/subscriber/read-to-end.ts';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { brokerSettings, type Environment, readEnvironment } from '#runtime/settings.ts';
import { decodeHeadShadow, type HeadShadow, headShadowKey } from '#schemas/head-shadow.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { framedValue } from '#schemas/schema-id.ts';
import { topicTable } from '#schemas/topics.ts';
import { type HeadsRequest, readHeadsArguments } from './arguments.ts';
import { runHeadsCommand } from './commands.ts';
import { HeadFolder } from './folder.ts';

/** `npx halfsight heads`: see HEADS_USAGE. */

await runCommand(async (args, stopping) => {
  await run(readHeadsArguments(args), stopping);
  return true;
});

async function run(command: HeadsRequest, stopping: AbortSignal): Promise<void> {
  if (command.verb === 'help') return print(command.text);
  const environment = readEnvironment();
  const { headsDirectory, bundleDirectory } = environment;
  if (headsDirectory === undefined) {
    throw new HalfsightError('settings-invalid', 'no folder of heads is named.', {
      advice: 'Set HALFSIGHT_HEADS_DIRECTORY, as the consumers have it.',
    });
  }
  const bundle = await loadBundle(bundleDirectory);
  const folder = new HeadFolder(headsDirectory, bundle);
  const readShadows = () => readHeadShadows(environment, stopping);
  await runHeadsCommand({ folder, bundle, readShadows, print }, command);
}

/** The newest record of each key. */
async function readHeadShadows(
  environment: Environment,
  stopping: AbortSignal,
): Promise<readonly HeadShadow[]> {
  const clock = systemClock;
  const topics = topicTable({ prefix: environment.topicPrefix });
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'heads', brokers), {
    clock,
    logger: commandLogger,
  });
  const newest = new Map<string, HeadShadow>();
  try {
    const framing = await openFraming(environment.schemaRegistry, topics);
    await readToEnd({
      ...{ broker, clock, stopping },
      topics: [topics.headShadows.name],
      transactional: new Set(),
      onTrimmed: () => undefined,
      onRecord: async (record) => {
        const value = framedValue(record);
        if (value !== null) await framing.learn(value);
        const shadow = decodeHeadShadow(value, framing);
        newest.set(headShadowKey(shadow), shadow);
      },
    });
  } finally {
    await broker.close();
  }
  if (stopping.aborted) throw new HalfsightError('usage-invalid', 'stopped before the end.');
  return [...newest.values()];
}
