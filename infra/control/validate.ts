import { KindGuard, type TObject, type TRecord, type TSchema } from '@sinclair/typebox';
import { TypeCompiler, type ValueError, ValueErrorType } from '@sinclair/typebox/compiler';
import { Value } from '@sinclair/typebox/value';
import { LIMITS } from '#runtime/limits.ts';
import { nearest } from '../command/nearest.ts';
import { type Mistake, Problem } from './problem.ts';

export type RequestPart = 'params' | 'querystring' | 'body';

/** Of a place that is told; names that are not known may be of any length. */
const POINTER_LENGTH_MAX = 200;
const PART_NAMES = { params: 'path', querystring: 'query', body: 'body' } as const;

/** Throws one `Problem` that lists every mistake, or returns the value. */
export type Validate = (value: unknown) => unknown;

/** Paths and queries are text: their numbers are read. A body must have the types that it says. */
export function validatorOf(schema: TSchema, part: RequestPart): Validate {
  const check = TypeCompiler.Compile(schema);
  return (value) => {
    const read = part === 'body' ? value : Value.Convert(schema, value);
    if (check.Check(read)) return read;
    const mistakes = mistakesOf(check.Errors(read), schema, part);
    const detail = mistakes.map((mistake) => `${nameOf(mistake)} ${mistake.detail}`).join('; ');
    throw new Problem('request-invalid', `the ${PART_NAMES[part]} is wrong: ${detail}.`, {
      advice: 'GET /openapi.json describes what each route takes.',
      mistakes,
    });
  };
}

/** The first of each place: those that follow are about the same. And the first of many. */
function mistakesOf(
  errors: Iterable<ValueError>,
  schema: TSchema,
  part: RequestPart,
): readonly Mistake[] {
  const byPath = new Map<string, ValueError>();
  for (const outer of errors) {
    for (const error of innermost(outer)) {
      if (!byPath.has(error.path)) byPath.set(error.path, error);
    }
    if (byPath.size >= LIMITS.controlMistakesMax) break;
  }
  return [...byPath.values()].map((error) => {
    const pointer = part === 'body' ? `#${error.path}` : error.path.slice(1);
    return { pointer: pointer.slice(0, POINTER_LENGTH_MAX), detail: detailOf(error, schema) };
  });
}

/** Of a union the mistakes in the member that was meant, if one can be told. */
function innermost(error: ValueError): readonly ValueError[] {
  if (error.type !== ValueErrorType.Union) return [error];
  const members = error.errors.map((member) => [...member].flatMap(innermost));
  const meant = members.find((inner) => inner.every(({ path }) => path !== error.path));
  return meant ?? [error];
}

function nameOf({ pointer }: Mistake): string {
  const name = pointer.replace(/^#\/?/, '').replaceAll('/', '.');
  return name.replaceAll('~1', '/').replaceAll('~0', '~') || 'it';
}

function detailOf({ type, path, schema }: ValueError, root: TSchema): string {
  switch (type) {
    case ValueErrorType.ObjectRequiredProperty:
      return 'is missing';
    case ValueErrorType.ObjectAdditionalProperties:
      return KindGuard.IsRecord(schema) ? recordKeyDetail(schema) : strangerDetail(path, root);
    default:
      return `must be ${expectationOf(schema)}`;
  }
}

function recordKeyDetail({ patternProperties }: TRecord): string {
  return `is no key: it must match ${Object.keys(patternProperties).join(' or ')}`;
}

function strangerDetail(path: string, root: TSchema): string {
  const names = namesAt(root, path);
  const found = nearest(path.slice(path.lastIndexOf('/') + 1), names.map(lowerCased));
  const near = names.find((name) => lowerCased(name) === found);
  return `is not known here${near === undefined ? '' : `: is it ${near}?`}`;
}

function lowerCased(name: string): string {
  return name.toLowerCase();
}

/** The names that the object has whose property `path` is. */
function namesAt(root: TSchema, path: string): readonly string[] {
  const steps = path.split('/').slice(1, -1);
  const parent = steps.reduce<TSchema | undefined>(
    (schema, step) => (isObject(schema) ? schema.properties[step] : undefined),
    root,
  );
  return isObject(parent) ? Object.keys(parent.properties) : [];
}

function isObject(schema: TSchema | undefined): schema is TObject {
  return KindGuard.IsObject(schema);
}

/** The noun that follows `must be`: of the schema's own words, or of its type and bounds. */
function expectationOf(schema: TSchema): string {
  const { must, const: only, type, minimum, maximum, maxLength, maxItems, maxProperties } = schema;
  if (typeof must === 'string') return must;
  if (KindGuard.IsUnion(schema)) return schema.anyOf.map(expectationOf).join(' or ');
  if (only !== undefined) return JSON.stringify(only);
  const bounds = minimum === undefined ? '' : ` from ${minimum}${maximum ? ` to ${maximum}` : ''}`;
  const most = maxLength ?? maxItems ?? maxProperties;
  const size = most === undefined ? '' : ` of at most ${most}`;
  return `${NOUNS[String(type)] ?? String(type)}${bounds}${size}`;
}

const NOUNS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'null',
  number: 'a number',
  object: 'an object',
  string: 'a text',
};
