import { parseArgs } from 'node:util';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { writeDataset } from './dataset.ts';

/** `npm run scenes -- --out DIR --count N --seed S [--width W --height H]` */
const USAGE = 'scenes --out DIR [--count 100] [--seed 1] [--width 640 --height 360]';

async function main(): Promise<void> {
  const values = readArguments();
  if (values.out === undefined) {
    throw new HalfsightError('usage-invalid', '--out is missing.', { advice: `Usage: ${USAGE}` });
  }
  const count = whole('count', values.count, 1, 1_000_000);
  await writeDataset({
    directory: values.out,
    count,
    seed: whole('seed', values.seed, 0, 2 ** 31 - 1),
    ...(values.width === undefined ? {} : { width: whole('width', values.width, 32, 4096) }),
    ...(values.height === undefined ? {} : { height: whole('height', values.height, 32, 4096) }),
    onProgress: (written) => {
      if (written % 50 === 0) process.stdout.write(`${written} of ${count} pictures\n`);
    },
  });
  process.stdout.write(`${count} pictures in ${values.out}\n`);
}

function readArguments() {
  const options = {
    out: { type: 'string' },
    count: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    width: { type: 'string' },
    height: { type: 'string' },
  } as const;
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    throw new HalfsightError('usage-invalid', (error as Error).message, {
      advice: `Usage: ${USAGE}`,
    });
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new HalfsightError('usage-invalid', `--${name} is "${text}".`, {
    advice: `It must be a whole number from ${least} to ${most}. Usage: ${USAGE}`,
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
