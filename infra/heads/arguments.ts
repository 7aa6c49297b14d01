import { CommandLine, FLAG } from '#runtime/command-line.ts';
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
  const verb = new CommandLine('See npx halfsight heads --help.').verb(name, VERBS);
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  const { values, positionals: words } = lineOf(verb).read(rest, { json: FLAG });
  const json = values.json === true;
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

function expectWords<const Names extends readonly string[]>(
  verb: Verb,
  words: readonly string[],
  names: Names,
): { readonly [Index in keyof Names]: string } {
  if (words.length === names.length) return words as { [Index in keyof Names]: string };
  const wanted = names.length === 0 ? 'nothing' : names.join(' ');
  throw lineOf(verb).wrong(`${verb} takes ${wanted}, but got ${words.join(' ') || 'nothing'}.`);
}

function taskOf(verb: Verb, name: string): Task {
  const task = TASKS.find((known) => known === name);
  if (task !== undefined) return task;
  throw lineOf(verb).wrong(`"${name}" is no task: there are ${TASKS.join(', ')}.`);
}

function lineOf(verb: Verb): CommandLine {
  return new CommandLine(`See npx halfsight heads ${verb} --help.`);
}
