import { parseArgs } from 'node:util';
import { freshSeed } from '#runtime/random.ts';
import { keepResult } from '#test/fixtures/keep-result.ts';
import { type ChaosOptions, runChaos } from './run.ts';

/**
 * `npm run chaos -- [options]`: three real brokers, real consumers, and kill -9.
 *
 * Frames of many cameras are written at a steady rate while consumers are killed and brokers are
 * bounced at random moments. In the end a reader that shares no code with Halfsight
 * (test/referee/) says whether every frame has one result of each head, in order. The last line is
 * JSON. Exit 1 where it has not.
 */
const USAGE = `npm run chaos -- [--frames 100000] [--cameras 20] [--rate 120] [--consumers 2]
                    [--consumer-kills 50] [--broker-bounces 20] [--scalings 2] [--seed S] [--write]

  --frames          in all; --rate is frames a second of all cameras together
  --consumer-kills  kill -9 of one of --consumers, which is started again at once
  --broker-bounces  one broker of three, killed or stopped in turn, and started again
  --scalings        three more consumers join, and leave again by SIGTERM one after another
  --write           also keeps the report, in test/results
`;

interface Arguments {
  readonly options: ChaosOptions;
  readonly write: boolean;
}

function readArguments(): Arguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      frames: text('100000'),
      cameras: text('20'),
      rate: text('120'),
      consumers: text('2'),
      'consumer-kills': text('50'),
      'broker-bounces': text('20'),
      scalings: text('2'),
      seed: text(String(freshSeed())),
      write: { type: 'boolean', default: false },
    },
  });
  const count = (name: Exclude<keyof typeof values, 'write'>, least: number) => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new Error(`--${name} ${values[name]}: not a whole number from ${least}`);
  };
  const options = {
    frameCount: count('frames', 1),
    cameraCount: count('cameras', 1),
    framesPerSecond: count('rate', 1),
    consumerCount: count('consumers', 1),
    consumerKills: count('consumer-kills', 0),
    brokerBounces: count('broker-bounces', 0),
    scalings: count('scalings', 0),
    seed: count('seed', 0),
  };
  return { options, write: values.write };
}

function readArgumentsOrExplain(): Arguments | undefined {
  try {
    return readArguments();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}`);
    return undefined;
  }
}

const given = readArgumentsOrExplain();
if (given === undefined) {
  process.exitCode = 2;
} else {
  const report = await runChaos(given.options, (line) => process.stderr.write(`${line}\n`));
  if (given.write) keepResult('chaos', report);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.verdict.sound ? 0 : 1;
}
