import { readFile } from 'node:fs/promises';
import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { type Bundle, reloadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { brokerSettings, type Environment, readEnvironment } from '#runtime/settings.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { topicTable } from '#schemas/topics.ts';
import { INSPECT_USAGE, type InspectArguments, readInspectArguments } from './arguments.ts';
import { FrameInspector } from './frame-inspector.ts';
import { inspectRecord } from './inspect-record.ts';
import type { Inspection } from './inspection.ts';
import { inspectionText } from './text.ts';

/** `npx halfsight inspect`: see INSPECT_USAGE. Exits with 1 when the frame is not there. */

await runCommand(async (args) => {
  const read = readInspectArguments(args, process.cwd());
  if (read === 'help') {
    await print(INSPECT_USAGE);
    return true;
  }
  const environment = readEnvironment();
  const bundle = await reloadBundle(environment.bundleDirectory);
  const inspection = await inspect(read, environment, bundle);
  await print(read.json ? `${JSON.stringify(inspection)}\n` : inspectionText(inspection));
  return inspection.found;
});

async function inspect(
  order: InspectArguments,
  environment: Environment,
  bundle: Bundle,
): Promise<Inspection> {
  const topics = topicTable({ prefix: environment.topicPrefix });
  if ('file' in order) {
    const framing = await openFraming(environment.schemaRegistry, topics);
    const value = await readRecord(order.file);
    await framing.learn(value);
    return inspectRecord({ value, headers: {} }, { framing, bundle });
  }
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'inspect', brokers), {
    clock: systemClock,
    logger: commandLogger,
  });
  try {
    const framing = await openFraming(environment.schemaRegistry, topics);
    const inspector = new FrameInspector({ broker, topics, framing, bundle, clock: systemClock });
    return await inspector.inspect(order.frameId, order.atUs);
  } finally {
    await broker.close();
  }
}

async function readRecord(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    const message = `${file} cannot be read: ${(error as Error).message}.`;
    throw new HalfsightError('usage-invalid', message, { cause: error });
  }
}
