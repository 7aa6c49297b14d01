import { hostname, userInfo } from 'node:os';
import { localBrokers } from '#consumers/subscriber/local-servers.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { commandLogger, runCommand } from '#runtime/command.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { createLogger } from '#runtime/log.ts';
import { SpanWatch } from '#runtime/metrics/span-watch.ts';
import { brokerSettings, readEnvironment } from '#runtime/settings.ts';
import { startTracing } from '#runtime/trace.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { topicTable } from '#schemas/topics.ts';
import {
  DEAD_LETTERS_USAGE,
  type DeadLettersCommand,
  readDeadLettersArguments,
} from './arguments.ts';
import { listLetters, settle, showLetter } from './commands.ts';
import type { Access } from './read-letters.ts';

/** `npm run dead-letters`: see DEAD_LETTERS_USAGE. Exits with 1 when something was left undone. */

await runCommand(async (args, stopping) => {
  const command = readDeadLettersArguments(args, process.cwd(), systemClock.nowUs());
  if (command !== 'help') return await run(command, stopping);
  await print(DEAD_LETTERS_USAGE);
  return true;
});

async function run(command: DeadLettersCommand, stopping: AbortSignal): Promise<boolean> {
  const environment = readEnvironment();
  const clock = systemClock;
  const topics = topicTable({ prefix: environment.topicPrefix });
  const brokers = environment.kafkaBrokers ?? localBrokers();
  const broker = openKafka(brokerSettings(environment, 'dead-letters', brokers), {
    clock,
    logger: commandLogger,
  });
  const spans = new SpanWatch(clock, createLogger({ level: 'warn', format: 'text' }));
  const tracing = await startTracing('halfsight-dead-letters', environment, spans);
  try {
    const framing = await openFraming(environment.schemaRegistry, topics);
    const { tracer } = tracing;
    const access: Access = { broker, framing, topics, clock, stopping, tracer };
    switch (command.command) {
      case 'list':
        await listLetters(access, command, print);
        return true;
      case 'show':
        await showLetter(access, command, print);
        return true;
      default:
        return await settle(access, command, operator(), print);
    }
  } finally {
    await broker.close();
    await tracing.stop();
  }
}

function operator(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A user id of a container that no password file knows.
    return `unknown@${hostname()}`;
  }
}
