import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { assert } from '#runtime/assert.ts';
import { describeMachine } from './machine.ts';

const RESULTS = join(import.meta.dirname, '..', 'results.md');

/** What every benchmark is told on its command line. */
export interface Arguments {
  readonly rounds: number;
  /** Whether the section goes into results.md. */
  readonly write: boolean;
  /** Options that only some have, all of them flags. */
  readonly flags: ReadonlySet<string>;
}

export function readArguments(defaultRounds: number, flags: readonly string[] = []): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = {
    rounds: { type: 'string', default: String(defaultRounds) },
    write: { type: 'boolean', default: false },
  };
  for (const name of flags) options[name] = { type: 'boolean', default: false };
  const { values } = parseArgs({ options });
  const rounds = Number(values.rounds);
  assert(Number.isInteger(rounds) && rounds > 0, '--rounds is a number of rounds');
  const given = flags.filter((name) => values[name] === true);
  return { rounds, write: values.write === true, flags: new Set(given) };
}

export interface Section {
  readonly bench: string;
  readonly rounds: number;
  /** What was done, in sentences; lines of the file. */
  readonly about: readonly string[];
  /** Markdown. */
  readonly tables: readonly string[];
  /** Whatever a program may want to read again. */
  readonly figures: object;
}

/** Tables, then one line of JSON; with `--write` the same as a section of results.md. */
export function report(section: Section, { write }: Pick<Arguments, 'write'>): void {
  const { bench, rounds, about, figures } = section;
  const date = new Date().toISOString().slice(0, 10);
  const machine = describeMachine();
  const json = JSON.stringify({ bench, date, ...machine, rounds, ...figures });
  const tables = section.tables.join('\n\n');
  process.stdout.write(`${tables}\n${json}\n`);
  if (!write) return;
  const { commit, cpu, cores, node } = machine;
  const lines = [
    `\n## ${bench}, ${date}\n`,
    `Commit ${commit}; ${cpu}, ${cores} cores; Node ${node}; medians of ${rounds} rounds,`,
    'ratios of one round each.',
    ...about,
    `\n${tables}`,
    `\n\`\`\`json\n${json}\n\`\`\``,
  ];
  appendFileSync(RESULTS, `${lines.join('\n')}\n`);
}

export function markdownTable(
  head: readonly string[],
  body: readonly (readonly (string | number)[])[],
): string {
  const lines = [head, head.map(() => '---'), ...body];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** How it is going, beside the results. */
export function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Whether a goal is reached, in a word for tables. */
export function verdict(isReached: boolean): string {
  return isReached ? 'holds' : 'FAILS';
}
