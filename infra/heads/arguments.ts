import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { HEADS_USAGE, VERB_USAGE, VERBS, type Verb } from './usage.ts';

export type HeadsCommand =
  | { readonly verb: 'list'; readonly json: boolean }
  | { readonly verb: 'add'; readonly source: string; readonly json: boolean }
  | { readonly verb: 'report'; readonly task: Task; readonly json: boolean }
  | {
      readonly verb: 'shadow' | 'switch' | 'retire';
      readonly task: Task;
      /** Of `shadow` also "off". */
      readonly version: string;
      readonly json: boolean;
    };

export type HeadsRequest = HeadsCommand | { readonly verb: 'help'; readonly text: string };

/** Throws `usage-invalid`. */
export function readHeadsArguments(args: readonly string[]): HeadsRequest {
  const [name, ...rest] = args;
  if (name === '--help' || name === undefined) return { verb: 'help', text: HEADS_USAGE };
  const verb = VERBS.find((known) => known === name);
  if (verb === undefined) {
    throw wrong(`there is no command "${name}": there are ${VERBS.join(', ')}.`);
  }
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  const { words, json } = parsed(verb, rest);
  switch (verb) {
    case 'list':
      expectWords(verb, words, []);
      return { verb, json };
    case 'add': {
      const [source] = expectWords(verb, words, ['DIR']);
      return { verb, source, json };
    }
    case 'report': {
      const [task] = expectWords(verb, words, ['TASK']);
      return { verb, task: taskOf(verb, task), json };
    }
    default: {
      const [task, version] = expectWords(verb, words, ['TASK', 'VERSION']);
      return { verb, task: taskOf(verb, task), version, json };
    }
  }
}

function parsed(verb: Verb, args: readonly string[]) {
  try {
    const options = { json: { type: 'boolean' } } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return { words: positionals, json: values.json === true };
  } catch (error) {
    throw wrong(`${(error as Error).message}.`, verb);
  }
}

function expectWords<const Names extends readonly string[]>(
  verb: Verb,
  words: readonly string[],
  names: Names,
): { readonly [Index in keyof Names]: string } {
  if (words.length === names.length) return words as { [Index in keyof Names]: string };
  const wanted = names.length === 0 ? 'nothing' : names.join(' ');
  throw wrong(`${verb} takes ${wanted}, but got ${words.join(' ') || 'nothing'}.`, verb);
}

function taskOf(verb: Verb, name: string): Task {
  const task = TASKS.find((known) => known === name);
  if (task !== undefined) return task;
  throw wrong(`"${name}" is no task: there are ${TASKS.join(', ')}.`, verb);
}

function wrong(message: string, verb?: Verb): HalfsightError {
  const advice = `See npx halfsight heads ${verb === undefined ? '' : `${verb} `}--help.`;
  return new HalfsightError('usage-invalid', message, { advice });
}
