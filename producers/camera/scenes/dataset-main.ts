import { CommandLine, TEXT } from '#runtime/command-line.ts';
import { describeError } from '#runtime/errors.ts';
import { writeDataset } from './dataset.ts';

/** `npm run scenes -- --out DIR --count N --seed S [--width W --height H]` */
const USAGE = 'scenes --out DIR [--count 100] [--seed 1] [--width 640 --height 360]';
const line = new CommandLine(`Usage: ${USAGE}`);

async function main(): Promise<void> {
  const options = { out: TEXT, count: TEXT, seed: TEXT, width: TEXT, height: TEXT };
  const values = line.readOptions(process.argv.slice(2), options);
  const directory = line.needed('--out', values.out);
  const count = line.whole('--count', values.count, 1, 1_000_000) ?? 100;
  const width = line.whole('--width', values.width, 32, 4096);
  const height = line.whole('--height', values.height, 32, 4096);
  await writeDataset({
    directory,
    count,
    seed: line.whole('--seed', values.seed, 0, 2 ** 31 - 1) ?? 1,
    ...(width === undefined ? {} : { width }),
    ...(height === undefined ? {} : { height }),
    onProgress: (written) => {
      if (written % 50 === 0) process.stdout.write(`${written} of ${count} pictures\n`);
    },
  });
  process.stdout.write(`${count} pictures in ${directory}\n`);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}
