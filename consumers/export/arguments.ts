import { resolve } from 'node:path';
import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
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

const line = new CommandLine('See npx halfsight export --help.');

export interface ExportArguments {
  readonly order: ExportOrder;
  readonly json: boolean;
}

/** `folder`: which a relative FILE is in. Throws `usage-invalid`. */
export function readExportArguments(
  args: readonly string[],
  folder: string,
): ExportArguments | 'help' {
  const values = line.readOptions(args, {
    ...{ format: TEXT, topic: TEXT, output: TEXT, since: TEXT, until: TEXT },
    ...{ cameras: TEXT, backfill: TEXT, json: FLAG, help: FLAG },
  });
  if (values.help) return 'help';
  const order = checkOrder({
    format: line.needed('--format', values.format),
    topic: line.needed('--topic', values.topic),
    output: resolve(folder, line.needed('--output', values.output)),
    backfill: values.backfill,
    cameras: values.cameras?.split(',').map((part) => part.trim()),
    sinceMs: line.timeMs('--since', values.since),
    untilMs: line.timeMs('--until', values.until),
  });
  return { order, json: values.json ?? false };
}
