import { parseArgs } from 'node:util';
import { freshSeed } from '#runtime/random.ts';
import { fuzzCodec } from './codec/fuzz.ts';

/**
 * `npm run fuzz -- TARGET [--seconds 600] [--seed S] [--case N]`: random cases until the time is
 * up or one of them fails. A seed decides all of them; --case runs a single one. Exit 1 where
 * something was found, the canary was not, or memory grew.
 */
const TARGETS = { codec: fuzzCodec };
const NAMES = Object.keys(TARGETS).join(' | ');
const USAGE = `npm run fuzz -- ${NAMES} [--seconds 600] [--seed S] [--case N]`;

function readArguments() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '600' },
      seed: { type: 'string' },
      case: { type: 'string' },
    },
  });
  const integer = (text: string, name: string) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value < 2 ** 31) return value;
    throw new Error(`--${name} ${text}: not an integer from 0 to 2^31 - 1`);
  };
  const [name = ''] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(TARGETS, name)) {
    throw new Error(`"${positionals.join(' ')}" is no target`);
  }
  return {
    run: TARGETS[name as keyof typeof TARGETS],
    seed: values.seed === undefined ? freshSeed() : integer(values.seed, 'seed'),
    seconds: integer(values.seconds, 'seconds'),
    caseNumber: values.case === undefined ? undefined : integer(values.case, 'case'),
  };
}

function readArgumentsOrExplain() {
  try {
    return readArguments();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${USAGE}\n`);
    return undefined;
  }
}

const read = readArgumentsOrExplain();
if (read === undefined) {
  process.exitCode = 2;
} else {
  const { run, ...options } = read;
  const isFine = await run(options, (line) => process.stdout.write(`${line}\n`));
  process.exitCode = isFine ? 0 : 1;
}
