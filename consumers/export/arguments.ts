import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
import { TASKS } from '#schemas/result.ts';
import { FORMATS } from './formats.ts';
import { checkOrder, type ExportOrder } from './order.ts';

const WIDTH = Math.max(...FORMATS.map(({ name }) => name.length));

export const EXPORT_USAGE = `\
Usage: npx halfsight export --format FORMAT --topic TASK --output FILE [options]

Writes results that Kafka still has, committed ones only, into a file: as far as the topic goes when
it starts. The file appears when it is whole.

  --format FORMAT  one of these:
${FORMATS.map(({ name, summary }) => `    ${name.padEnd(WIDTH)}  ${summary}`).join('\n')}
  --topic TASK     ${TASKS.join(', ')}
  --output FILE    is replaced if it is there
  --since TIME     captured then or later, 2026-11-28T20:00:00Z; default: the oldest
  --until TIME     and before then; default: the newest
  --cameras A,B    default: all
  --backfill ID    what this backfill found, instead of live results
  --json           progress and, as the last line, the summary as JSON
  --help

What is left out is counted, with the reason. consumers/export/README.md describes columns and keys.
`;

export interface ExportArguments {
  readonly order: ExportOrder;
  readonly json: boolean;
}

/** `folder`: which a relative FILE is in. Throws `usage-invalid`. */
export function readExportArguments(
  args: readonly string[],
  folder: string,
): ExportArguments | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const { since, until, cameras, backfill } = values;
  const needed = (name: 'format' | 'topic' | 'output') => {
    const value = values[name];
    if (value === undefined) throw wrong(`--${name} is missing.`);
    return value;
  };
  const order = checkOrder({
    format: needed('format'),
    topic: needed('topic'),
    output: resolve(folder, needed('output')),
    backfill,
    cameras: cameras?.split(',').map((part) => part.trim()),
    sinceMs: since === undefined ? undefined : timeMs('--since', since),
    untilMs: until === undefined ? undefined : timeMs('--until', until),
  });
  return { order, json: values.json ?? false };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    ...{ format: text, topic: text, output: text, since: text, until: text },
    ...{ cameras: text, backfill: text, json: flag, help: flag },
  };
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function timeMs(name: string, text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw wrong(`${name} must be a time such as 2026-11-28T20:00:00Z, but is "${text}".`);
}

function wrong(message: string): HalfsightError {
  const advice = 'See npx halfsight export --help.';
  return new HalfsightError('usage-invalid', message, { advice });
}
