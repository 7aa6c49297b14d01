import { type JobStatus, STATUSES } from '#consumers/jobs/job.ts';
import type { JobKind } from '#consumers/jobs/kind.ts';
import { type JobOrder, kindNamed, orderOfOptions } from '#consumers/jobs/order-fields.ts';
import { intervalMs } from '#consumers/jobs/schedules.ts';
import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
import { jobsUsage, kindUsage, LIST_LIMIT, VERB_USAGE, VERBS, type Verb } from './usage.ts';

export type ChangeVerb = Extract<Verb, 'pause' | 'resume' | 'cancel' | 'retry' | 'remove'>;

export type JobsCommand =
  | {
      readonly verb: 'add';
      readonly kind: string;
      readonly order: JobOrder;
      /** Undefined: one is made up. */
      readonly id: string | undefined;
      readonly json: boolean;
    }
  | {
      /** `add --every`. */
      readonly verb: 'schedule';
      readonly kind: string;
      readonly order: JobOrder;
      readonly everyMs: number;
      readonly id: string | undefined;
      readonly json: boolean;
    }
  | { readonly verb: 'schedules'; readonly json: boolean }
  | { readonly verb: 'unschedule'; readonly ids: readonly string[] }
  | {
      readonly verb: 'list';
      /** Undefined: all. */
      readonly status: JobStatus | undefined;
      readonly limit: number;
      readonly json: boolean;
    }
  | {
      readonly verb: 'show';
      readonly id: string;
      readonly follow: boolean;
      readonly json: boolean;
    }
  | { readonly verb: ChangeVerb; readonly ids: readonly string[] };

export type JobsRequest = JobsCommand | { readonly verb: 'help'; readonly text: string };

const line = new CommandLine('See npx halfsight jobs --help.');
const LIMIT_MAX = 10_000;

/** Throws `usage-invalid`; what is wrong with an order in itself, the queue tells. */
export function readJobsArguments(args: readonly string[], kinds: readonly JobKind[]): JobsRequest {
  const [name, ...rest] = args;
  if (name === '--help' || name === undefined) return { verb: 'help', text: jobsUsage(kinds) };
  const verb = line.verb(name, VERBS);
  if (verb === 'add') return readAdd(rest, kinds);
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  return readVerb(verb, rest, lineOf(verb));
}

function readVerb(
  verb: Exclude<Verb, 'add'>,
  args: readonly string[],
  own: CommandLine,
): JobsRequest {
  switch (verb) {
    case 'list':
      return readList(args, own);
    case 'show': {
      const { values, positionals } = own.read(args, { follow: FLAG, json: FLAG });
      const id = own.oneWord(verb, positionals, 'the id of one job');
      return { verb, id, follow: values.follow === true, json: values.json === true };
    }
    case 'schedules': {
      const { values, positionals } = own.read(args, { json: FLAG });
      own.noWord(verb, positionals);
      return { verb, json: values.json === true };
    }
    case 'work':
      throw own.wrong(`work takes no "${args[0] ?? ''}".`);
    default: {
      const { positionals } = own.read(args, {});
      if (positionals.length === 0) throw own.wrong(`${verb} takes the ids of jobs.`);
      return { verb, ids: [...new Set(positionals)] };
    }
  }
}

function readAdd(args: readonly string[], kinds: readonly JobKind[]): JobsRequest {
  const [name, ...rest] = args;
  if (name === '--help') return { verb: 'help', text: jobsUsage(kinds) };
  if (name === undefined || name.startsWith('-')) {
    const names = kinds.map((kind) => kind.name).join(', ');
    throw line.wrong(`add takes the kind of job first: ${names}.`);
  }
  const kind = kindNamed(kinds, name);
  if (rest.includes('--help')) return { verb: 'help', text: kindUsage(kind) };
  const fields = Object.entries(kind.fields).map(([field, { type }]) => {
    return [field, type === 'flag' ? FLAG : TEXT] as const;
  });
  const options = { ...Object.fromEntries(fields), id: TEXT, every: TEXT, json: FLAG };
  const add = `add ${name}`;
  const own = lineOf(add);
  const { values, positionals } = own.read(rest, options);
  own.noWord(add, positionals);
  const { id, json, every, ...typed } = values as Readonly<
    Record<string, string | boolean | undefined>
  >;
  const order = orderOfOptions(kind.fields, typed);
  const common = { kind: name, order, id: id as string | undefined, json: json === true };
  if (every === undefined) return { verb: 'add', ...common };
  const everyMs = intervalMs(String(every));
  if (everyMs !== undefined) return { verb: 'schedule', ...common, everyMs };
  throw own.wrong(`--every must be such as 10m, 1h or 2d, but is "${every}".`);
}

function readList(args: readonly string[], own: CommandLine): JobsRequest {
  const options = { status: TEXT, limit: TEXT, json: FLAG };
  const { values, positionals } = own.read(args, options);
  own.noWord('list', positionals);
  const status = STATUSES.find((known) => known === values.status);
  if (values.status !== undefined && status === undefined) {
    throw own.wrong(`"${values.status}" is no status: there are ${STATUSES.join(', ')}.`);
  }
  const limit = own.whole('--limit', values.limit, 1, LIMIT_MAX) ?? LIST_LIMIT;
  return { verb: 'list', status, limit, json: values.json === true };
}

function lineOf(verb: string): CommandLine {
  return new CommandLine(`See npx halfsight jobs ${verb} --help.`);
}
