import { parseArgs } from 'node:util';
import { type JobStatus, STATUSES } from '#consumers/jobs/job.ts';
import type { JobKind } from '#consumers/jobs/kind.ts';
import { type JobOrder, kindNamed, orderOfOptions } from '#consumers/jobs/order-fields.ts';
import { intervalMs } from '#consumers/jobs/schedules.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { numberOptions } from '../number-options.ts';
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

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const LIMIT_MAX = 10_000;

/** Throws `usage-invalid`; what is wrong with an order in itself, the queue tells. */
export function readJobsArguments(args: readonly string[], kinds: readonly JobKind[]): JobsRequest {
  const [name, ...rest] = args;
  if (name === '--help' || name === undefined) return { verb: 'help', text: jobsUsage(kinds) };
  const verb = VERBS.find((known) => known === name);
  if (verb === undefined) {
    throw wrong(`there is no command "${name}": there are ${VERBS.join(', ')}.`);
  }
  if (verb === 'add') return readAdd(rest, kinds);
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  switch (verb) {
    case 'list':
      return readList(rest);
    case 'show': {
      const { values, positionals } = parsed('show', rest, { follow: FLAG, json: FLAG });
      const id = onlyOne('show', positionals, 'the id of one job');
      return { verb, id, follow: values.follow === true, json: values.json === true };
    }
    case 'schedules': {
      const { values, positionals } = parsed('schedules', rest, { json: FLAG });
      if (positionals.length > 0) throw wrong(`schedules takes no "${positionals[0]}".`, verb);
      return { verb, json: values.json === true };
    }
    case 'work':
      throw wrong(`work takes no "${rest[0] ?? ''}".`, verb);
    default: {
      const { positionals } = parsed(verb, rest, {});
      if (positionals.length === 0) throw wrong(`${verb} takes the ids of jobs.`, verb);
      return { verb, ids: [...new Set(positionals)] };
    }
  }
}

function readAdd(args: readonly string[], kinds: readonly JobKind[]): JobsRequest {
  const [name, ...rest] = args;
  if (name === '--help') return { verb: 'help', text: jobsUsage(kinds) };
  if (name === undefined || name.startsWith('-')) {
    const names = kinds.map((kind) => kind.name).join(', ');
    throw wrong(`add takes the kind of job first: ${names}.`);
  }
  const kind = kindNamed(kinds, name);
  if (rest.includes('--help')) return { verb: 'help', text: kindUsage(kind) };
  const own = Object.entries(kind.fields).map(([field, { type }]) => {
    return [field, type === 'flag' ? FLAG : TEXT] as const;
  });
  const options = { ...Object.fromEntries(own), id: TEXT, every: TEXT, json: FLAG };
  const { values, positionals } = parsed(`add ${name}`, rest, options);
  if (positionals.length > 0)
    throw wrong(`add ${name} takes no "${positionals[0]}".`, `add ${name}`);
  const { id, json, every, ...typed } = values as Readonly<
    Record<string, string | boolean | undefined>
  >;
  const order = orderOfOptions(kind.fields, typed);
  const common = { kind: name, order, id: id as string | undefined, json: json === true };
  if (every === undefined) return { verb: 'add', ...common };
  const everyMs = intervalMs(String(every));
  if (everyMs !== undefined) return { verb: 'schedule', ...common, everyMs };
  throw wrong(`--every must be such as 10m, 1h or 2d, but is "${every}".`, `add ${name}`);
}

function readList(args: readonly string[]): JobsRequest {
  const options = { status: TEXT, limit: TEXT, json: FLAG };
  const { values, positionals } = parsed('list', args, options);
  if (positionals.length > 0) throw wrong(`list takes no "${positionals[0]}".`, 'list');
  const status = STATUSES.find((known) => known === values.status);
  if (values.status !== undefined && status === undefined) {
    throw wrong(`"${values.status}" is no status: there are ${STATUSES.join(', ')}.`, 'list');
  }
  const numbers = numberOptions((message) => wrong(message, 'list'));
  const limit = numbers.whole('--limit', values.limit, 1, LIMIT_MAX) ?? LIST_LIMIT;
  return { verb: 'list', status, limit, json: values.json === true };
}

function parsed<const Options extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  about: string,
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw wrong(`${(error as Error).message}.`, about);
  }
}

function onlyOne(verb: Verb, positionals: readonly string[], what: string): string {
  const [one, ...more] = positionals;
  if (one !== undefined && more.length === 0) return one;
  throw wrong(`${verb} takes ${what}.`, verb);
}

function wrong(message: string, about?: string): HalfsightError {
  const advice = `See npx halfsight jobs ${about === undefined ? '' : `${about} `}--help.`;
  return new HalfsightError('usage-invalid', message, { advice });
}
