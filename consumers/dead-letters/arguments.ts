import { resolve } from 'node:path';
import { CommandLine, FLAG, TEXT, writtenTimeMs } from '#runtime/command-line.ts';
import type { LetterFilter, LetterPosition } from './letter-book.ts';

export const DEAD_LETTERS_USAGE = `\
Usage: npm run dead-letters -- list [filters] [--limit N] [--json]
       npm run dead-letters -- show LETTER [--json] [--out FILE]
       npm run dead-letters -- redrive LETTER ... | filters --yes [--limit N] [--dry-run]
       npm run dead-letters -- discard LETTER ... | filters --yes [--limit N] [--dry-run]

A dead letter is a record that no consumer could turn into results. LETTER names one by its place on
the dead-letter topic, PARTITION:OFFSET, as list shows it.

  list     one line a letter: open, redriven or discarded
  show     all that is known of one letter
  redrive  puts the original records of open letters back on the topic that they came from, once
           each, whatever is killed and however often it is said
  discard  marks open letters as dealt with

Filters, of which all must hold:
  --camera ID         letters of a camera
  --reason CODE       such as bitstream-tables-unknown
  --since TIME        given up since then: 2026-11-28T20:00:00Z, or 30s, 15m, 12h, 3d ago
  --until TIME
  --topic NAME        records that came from this topic

  --limit N           list: the newest N (default 100); else the oldest N
  --json              a JSON object a line; bytes in base64
  --out FILE          writes the original value, byte for byte
  --note TEXT         redrive, discard: why, for whoever reads it later
  --dry-run           shows which letters it would be
  --yes               needed with filters, which may name more letters than one thinks
  --help
`;

const line = new CommandLine('See npm run dead-letters -- --help.');
const VERBS = ['list', 'show', 'redrive', 'discard'] as const;
const LIST_LIMIT = 100;
const NOTE_LENGTH_MAX = 1000;

export interface ListCommand {
  readonly command: 'list';
  readonly filter: LetterFilter;
  readonly limit: number;
  readonly json: boolean;
}

export interface ShowCommand {
  readonly command: 'show';
  readonly position: LetterPosition;
  readonly json: boolean;
  /** Absolute path. */
  readonly outFile: string | undefined;
}

export interface SettleCommand {
  readonly command: 'redrive' | 'discard';
  /** Empty: those that the filter names. */
  readonly positions: readonly LetterPosition[];
  readonly filter: LetterFilter;
  readonly limit: number;
  readonly note: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

export type DeadLettersCommand = ListCommand | ShowCommand | SettleCommand;

const FILTERS = { camera: TEXT, reason: TEXT, since: TEXT, until: TEXT, topic: TEXT, limit: TEXT };
const SETTLING = { ...FILTERS, note: TEXT, 'dry-run': FLAG, yes: FLAG };

/** Throws `usage-invalid`. Times that are given as an age are counted back from `nowUs`. */
export function readDeadLettersArguments(
  args: readonly string[],
  folder: string,
  nowUs: number,
): DeadLettersCommand | 'help' {
  const [first, ...rest] = args;
  if (first === '--help' || rest.includes('--help')) return 'help';
  if (first === undefined) throw line.wrong('say what to do: list, show, redrive or discard.');
  const command = line.verb(first, VERBS);
  switch (command) {
    case 'list':
      return readList(rest, nowUs);
    case 'show':
      return readShow(rest, folder);
    default:
      return readSettle(command, rest, nowUs);
  }
}

function readList(args: readonly string[], nowUs: number): ListCommand {
  const { values, positionals } = line.read(args, { ...FILTERS, json: FLAG });
  line.noWord('list', positionals);
  const limit = line.count('--limit', values.limit) ?? LIST_LIMIT;
  return { command: 'list', filter: filterOf(values, nowUs), limit, json: values.json === true };
}

function readShow(args: readonly string[], folder: string): ShowCommand {
  const { values, positionals } = line.read(args, { json: FLAG, out: TEXT });
  const { json, out } = values;
  return {
    command: 'show',
    position: position(line.oneWord('show', positionals, 'one letter')),
    json: json === true,
    outFile: out === undefined ? undefined : resolve(folder, out),
  };
}

function readSettle(
  command: SettleCommand['command'],
  args: readonly string[],
  nowUs: number,
): SettleCommand {
  const { values, positionals } = line.read(args, SETTLING);
  const { note = '', yes = false, 'dry-run': dryRun = false, ...filters } = values;
  if (positionals.length > 0 && Object.keys(filters).length > 0) {
    throw line.wrong('name letters or give filters, not both.');
  }
  if (positionals.length === 0 && !yes && !dryRun) {
    throw line.wrong(`${command} without letters takes all that the filters name: add --yes.`);
  }
  if (note.length > NOTE_LENGTH_MAX) throw line.wrong(`--note is longer than ${NOTE_LENGTH_MAX}.`);
  return {
    command,
    positions: positionals.map(position),
    filter: filterOf(filters, nowUs),
    limit: line.count('--limit', filters.limit) ?? Number.POSITIVE_INFINITY,
    ...{ note, dryRun, yes },
  };
}

interface FilterValues {
  readonly camera?: string | undefined;
  readonly reason?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly topic?: string | undefined;
}

function filterOf({ camera, reason, since, until, topic }: FilterValues, nowUs: number) {
  return {
    ...(camera === undefined ? {} : { cameraId: camera }),
    ...(reason === undefined ? {} : { reason }),
    ...(topic === undefined ? {} : { originTopic: topic }),
    ...(since === undefined ? {} : { sinceUs: timeUs('--since', since, nowUs) }),
    ...(until === undefined ? {} : { untilUs: timeUs('--until', until, nowUs) }),
  };
}

function position(text: string): LetterPosition {
  const match = /^(\d{1,9}):(\d{1,15})$/.exec(text);
  if (match === null)
    throw line.wrong(`"${text}" is no letter: PARTITION:OFFSET, as list shows it.`);
  return { partition: Number(match[1]), offset: Number(match[2]) };
}

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A time, or an age before now. */
function timeUs(name: string, text: string, nowUs: number): number {
  const [, amount, unit = ''] = /^(\d{1,9}(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return nowUs - Number(amount) * (UNIT_S[unit] ?? 0) * 1e6;
  const timeMs = writtenTimeMs(text);
  if (timeMs !== undefined) return timeMs * 1000;
  throw line.wrong(
    `${name} must be a time (2026-11-28T20:00:00Z) or an age (15m), but is "${text}".`,
  );
}
