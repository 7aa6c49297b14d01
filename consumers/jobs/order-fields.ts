import { writtenTimeMs } from '#runtime/command-line.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Field, Fields, JobKind, OrderOf } from './kind.ts';

/** An order as it is kept: JSON, with the fields of its kind. */
export type JobOrder = Readonly<Record<string, unknown>>;

interface FieldType {
  /** What is said of a value that is none: `since must be ...`. */
  readonly must: string;
  /** The checked value of one in JSON; undefined when it is wrong. */
  readonly read: (value: unknown) => unknown;
  /** The value in JSON of one that a person typed; a wrong one is left as it is. */
  readonly parse: (typed: string) => unknown;
}

const NUMBER = (typed: string) => (Number.isNaN(Number(typed)) ? typed : Number(typed));

const TYPES: Readonly<Record<Field['type'], FieldType>> = {
  text: { must: 'be a text', read: textOf, parse: (typed) => typed },
  list: {
    must: 'name one or more',
    read: (value) => (Array.isArray(value) && value.every(textOf) && value[0] ? value : undefined),
    parse: (typed) => typed.split(',').map((part) => part.trim()),
  },
  // No age, such as 12h: after a restart it would be another time.
  time: {
    must: 'be a time such as 2026-11-28T20:00:00Z',
    read: (value) => writtenTimeMs(String(value)),
    parse: (typed) => typed,
  },
  number: {
    must: 'be a number above 0',
    read: (value) => (Number.isFinite(value) && Number(value) > 0 ? value : undefined),
    parse: NUMBER,
  },
  count: {
    must: 'be a whole number from 1',
    read: (value) => (Number.isSafeInteger(value) && Number(value) >= 1 ? value : undefined),
    parse: NUMBER,
  },
  flag: {
    must: 'be true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
    parse: (typed) => typed === 'true' || typed,
  },
};

/** Checks an order, also one that another program has put into the queue: `usage-invalid`. */
export function readOrder<F extends Fields>(
  kind: Pick<JobKind<F>, 'name' | 'fields' | 'check'>,
  order: unknown,
  nowMs: number,
): OrderOf<F> {
  if (typeof order !== 'object' || order === null || Array.isArray(order)) {
    throw wrong(kind, 'its order is no JSON object.');
  }
  const stranger = Object.keys(order).find((name) => !Object.hasOwn(kind.fields, name));
  if (stranger !== undefined) {
    const names = Object.keys(kind.fields).join(', ');
    throw wrong(kind, `there is no "${stranger}": there are ${names}.`);
  }
  const values = Object.entries(kind.fields).map(([name, field]) => {
    return [name, readField(kind, name, field, (order as JobOrder)[name])] as const;
  });
  const checked = Object.fromEntries(values) as OrderOf<F>;
  kind.check?.(checked, nowMs);
  return checked;
}

/** Throws `usage-invalid` for a kind that there is not. */
export function kindNamed(kinds: readonly JobKind[], name: string): JobKind {
  const kind = kinds.find((known) => known.name === name);
  if (kind !== undefined) return kind;
  throw new HalfsightError('usage-invalid', `there is no kind of job "${name}".`, {
    advice: `There are ${kinds.map((known) => known.name).join(', ')}.`,
  });
}

/** An order of the options that a person typed; what is wrong with it, `readOrder` tells. */
export function orderOfOptions(
  fields: Fields,
  options: Readonly<Record<string, string | boolean | undefined>>,
): JobOrder {
  const given = Object.entries(fields).flatMap(([name, { type }]) => {
    const typed = options[name];
    return typed === undefined ? [] : [[name, TYPES[type].parse(String(typed))] as const];
  });
  return Object.fromEntries(given);
}

function readField(
  kind: Pick<JobKind, 'name'>,
  name: string,
  { type, required }: Field,
  value: unknown,
): unknown {
  if (value === undefined) {
    if (required) throw wrong(kind, `${name} is missing.`);
    return undefined;
  }
  const { must, read } = TYPES[type];
  const checked = read(value);
  if (checked !== undefined) return checked;
  const shown = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
  throw wrong(kind, `${name} must ${must}, but is ${shown}.`);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function wrong({ name }: Pick<JobKind, 'name'>, message: string): HalfsightError {
  const advice = `See npx halfsight jobs add ${name} --help.`;
  return new HalfsightError('usage-invalid', message, { advice });
}
