import { parseArgs } from 'node:util';
import { keepResult } from '#test/fixtures/keep-result.ts';
import { runSoak, type SoakOptions } from './run.ts';

/**
 * `npm run soak -- [options]`: one real consumer under steady load for an hour while a camera comes
 * and another goes every second. Memory, open files and connections must not grow. The last line is
 * JSON with their slopes; exit 1 where a slope is above its limit, or a frame is lost or doubled.
 */
const USAGE = `npm run soak -- [--minutes 60] [--rate 200] [--cameras 20] [--write]

  --rate     frames a second of all cameras together
  --cameras  how many there are at any moment
  --write    also keeps the report, in test/results
`;

interface Arguments {
  readonly options: SoakOptions;
  readonly write: boolean;
}

function readArguments(): Arguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      minutes: text('60'),
      rate: text('200'),
      cameras: text('20'),
      write: { type: 'boolean', default: false },
    },
  });
  const positive = (name: Exclude<keyof typeof values, 'write'>) => {
    const value = Number(values[name]);
    if (Number.isFinite(value) && value > 0) return value;
    throw new Error(`--${name} ${values[name]}: not a number above 0`);
  };
  const options = {
    minutes: positive('minutes'),
    framesPerSecond: positive('rate'),
    cameraCount: Math.ceil(positive('cameras')),
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
  const report = await runSoak(given.options, (line) => process.stderr.write(`${line}\n`));
  if (given.write) keepResult('soak', report);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.isSteady && report.verdict.sound ? 0 : 1;
}
