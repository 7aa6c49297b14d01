import { cwd } from 'node:process';
import { systemClock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { onInterrupts } from '#runtime/interrupts.ts';
import { EXIT, exitCodeOf } from '#runtime/lifecycle.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { type Environment, readEnvironment } from '#runtime/settings.ts';
import { type Addresses, planAddresses } from './addresses.ts';
import { readStartArguments, START_USAGE, type StartArguments } from './arguments.ts';
import type { Child } from './child.ts';
import { Screen } from './screen.ts';

/** `npm start`: see START_USAGE, and run.ts for what happens. */
const screen = new Screen(process.stdout);
const children: Child[] = [];
const stopping = new AbortController();
/** While the servers start there is nothing to drain, and nobody who would notice. */
let canDrain = false;

const stopAtOnce = () => {
  for (const child of children) child.kill();
  // The guardian process of infra/local ends Kafka and Redis when we are gone.
  process.exit(EXIT.drainTimedOut);
};

const requestStop = () => {
  stopping.abort();
  if (!canDrain) stopAtOnce();
};

process.stdout.on('error', requestStop);
onInterrupts(process, systemClock, { first: requestStop, again: stopAtOnce });
process.on('exit', () => {
  for (const child of children) child.kill();
});

const args = readOrExplain();
const environment = readEnvironmentOrExplain();
const addresses = await planAddresses(args, environment, seededRandom(freshSeed()));
// What follows loads a few hundred files; nobody should look at an empty screen meanwhile.
const wallLine = addresses.wallLine();
if (wallLine !== undefined) screen.say(wallLine);
screen.say('Halfsight: cameras, encoded once -> Kafka -> three tasks. Ctrl-C ends it.');
process.exit(await start({ args, environment, addresses }));

function readOrExplain(): StartArguments {
  try {
    const read = readStartArguments(process.argv.slice(2), cwd());
    if (read !== 'help') return read;
    process.stdout.write(START_USAGE);
    process.exit(EXIT.ok);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n\n${START_USAGE}`);
    process.exit(EXIT.usage);
  }
}

function readEnvironmentOrExplain(): Environment {
  try {
    return readEnvironment();
  } catch (error) {
    screen.say(describeError(error));
    process.exit(exitCodeOf(error));
  }
}

interface Given {
  readonly args: StartArguments;
  readonly environment: Environment;
  readonly addresses: Addresses;
}

async function start({ args, environment, addresses }: Given): Promise<number> {
  try {
    const { openKafka } = await import('#runtime/kafka/kafka-broker.ts');
    const { brokerSettings } = await import('#runtime/settings.ts');
    const { runEverything } = await import('./run.ts');
    return await runEverything({
      ...{ args, environment, addresses, screen, clock: systemClock, stopping: stopping.signal },
      openBroker: (brokers, logger) => {
        canDrain = true;
        const settings = brokerSettings(environment, 'start', brokers);
        return openKafka(settings, { clock: systemClock, logger });
      },
      onChild: (child) => children.push(child),
    });
  } catch (error) {
    screen.keepTable();
    screen.say(describeError(error));
    return EXIT.failed;
  }
}
