import { parseArgs } from 'node:util';
import { LIMITS } from '#runtime/limits.ts';
import { keepResult } from '#test/fixtures/keep-result.ts';
import { type OutageOptions, runOutage } from './run.ts';

/**
 * `npm run outage -- [options]`: the broker goes away for minutes under a real camera agent with a
 * spool, and comes back. Then every frame that was captured must have one result of each head, in
 * order, or be counted as dropped, and the agent's memory must have been flat. The last line is
 * JSON; exit 1 where it is not so.
 */
const USAGE = `npm run outage -- [--minutes 10] [--cameras 4] [--fps 5] [--megabytes 256] [--write]

  --megabytes  of the spool; too few to hold the outage make drops, which must be counted
  --write      also keeps the report, in test/results
`;

interface Arguments {
  readonly options: OutageOptions;
  readonly write: boolean;
}

function readArguments(): Arguments {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    options: {
      minutes: text('10'),
      cameras: text('4'),
      fps: text('5'),
      megabytes: text(String(LIMITS.spoolBytesDefault / 1024 / 1024)),
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
    cameraCount: positive('cameras'),
    framesPerSecond: positive('fps'),
    spoolMegabytes: positive('megabytes'),
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
  const report = await runOutage(given.options, (line) => process.stderr.write(`${line}\n`));
  if (given.write) keepResult('outage', report);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exitCode = report.isFine ? 0 : 1;
}
