import { parseArgs } from 'node:util';
import { describeFailure, openSimulation } from './simulate.ts';

/**
 * `npm run simulate -- [--seeds N] [--from S]`: runs seeds S to S + N - 1, each a whole pipeline
 * with its faults, in virtual time. `--seed X [--verbose]` runs a single one, and tells every event
 * as it happens. Exit 1 where a law was broken. The last line is JSON.
 */
const USAGE = 'npm run simulate -- [--seeds 1000] [--from 0] [--seed X [--verbose]]';
const PROGRESS_INTERVAL_MS = 10_000;

interface Arguments {
  readonly from: number;
  readonly count: number;
  readonly isVerbose: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '0' },
      seed: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const integer = (text: string, name: string) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value < 2 ** 31) return value;
    throw new Error(`--${name} ${text}: not an integer from 0 to 2^31 - 1`);
  };
  const isVerbose = values.verbose;
  if (values.seed !== undefined) return { from: integer(values.seed, 'seed'), count: 1, isVerbose };
  return {
    from: integer(values.from, 'from'),
    count: integer(values.seeds, 'seeds'),
    isVerbose,
  };
}

function readArgumentsOrExplain(): Arguments | undefined {
  try {
    return readArguments();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return undefined;
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function simulateAll({ from, count, isVerbose }: Arguments): Promise<number> {
  const simulate = await openSimulation();
  const startMs = performance.now();
  let [toldMs, simulatedMs, livenessShare] = [startMs, 0, 0];
  const failed: number[] = [];
  const tally: Record<string, number> = {};
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate(seed, isVerbose ? { tell: say } : {});
    simulatedMs += outcome.simulatedMs;
    livenessShare = Math.max(livenessShare, outcome.livenessShare);
    for (const [name, times] of Object.entries(outcome.tally)) {
      tally[name] = (tally[name] ?? 0) + times;
    }
    if (outcome.violations.length > 0) {
      failed.push(seed);
      say(describeFailure(seed, outcome));
    }
    if (performance.now() - toldMs > PROGRESS_INTERVAL_MS) {
      toldMs = performance.now();
      say(`${seed - from + 1} of ${count} seeds, ${failed.length} failed`);
    }
  }
  const [wallSeconds, simulatedHours] = [(performance.now() - startMs) / 1000, simulatedMs / 3.6e6];
  say(JSON.stringify({ livenessShareMax: rounded(livenessShare), tally }));
  say(
    JSON.stringify({
      seeds: count,
      failed,
      simulatedHours: rounded(simulatedHours),
      wallSeconds: rounded(wallSeconds),
      simulatedHoursPerSecond: rounded(simulatedHours / wallSeconds),
    }),
  );
  return failed.length === 0 ? 0 : 1;
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

const read = readArgumentsOrExplain();
process.exitCode = read === undefined ? 2 : await simulateAll(read);
