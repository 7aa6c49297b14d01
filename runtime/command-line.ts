import { type ParseArgsConfig, parseArgs } from 'node:util';
import { HalfsightError } from './errors.ts';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Kinds of options: `--name VALUE`, the same repeated, and `--name`. */
export const TEXT = { type: 'string' } as const;
export const TEXTS = { type: 'string', multiple: true } as const;
export const FLAG = { type: 'boolean' } as const;

/**
 * Reads what a person typed after the name of a command, and refuses what is wrong: everything here
 * throws `usage-invalid` with the command's advice. Options are named with their dashes; the value
 * of one that was not given is undefined, and read as undefined.
 */
export class CommandLine {
  readonly #advice: string | undefined;

  /** `advice`: where a person finds what would be right: `See npx halfsight export --help.` */
  constructor(advice?: string) {
    this.#advice = advice;
  }

  /** Of a command that takes options alone. */
  readOptions<const Own extends Options>(args: readonly string[], options: Own) {
    return this.#parsed(() => parseArgs({ args: [...args], options })).values;
  }

  /** Of a command that takes words too: its `values` and `positionals`. */
  read<const Own extends Options>(args: readonly string[], options: Own) {
    return this.#parsed(() => parseArgs({ args: [...args], options, allowPositionals: true }));
  }

  #parsed<Parsed>(parse: () => Parsed): Parsed {
    try {
      return parse();
    } catch (error) {
      throw this.wrong(`${(error as Error).message}.`);
    }
  }

  wrong(message: string): HalfsightError {
    const advice = this.#advice;
    return new HalfsightError('usage-invalid', message, advice === undefined ? {} : { advice });
  }

  needed<Value>(name: string, value: Value | undefined): Value {
    if (value === undefined) throw this.wrong(`${name} is missing.`);
    return value;
  }

  oneOf<const Choice extends string>(
    name: string,
    text: string | undefined,
    choices: readonly Choice[],
  ): Choice | undefined {
    const choice = choices.find((known) => known === text);
    if (text === undefined || choice !== undefined) return choice;
    const known = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
    throw this.wrong(`${name} must be ${known}, but is "${text}".`);
  }

  number(name: string, text: string | undefined, min: number, max: number): number | undefined {
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= min && value <= max) return value;
    throw this.wrong(`${name} must be a number from ${min} to ${max}, but is "${text}".`);
  }

  whole(name: string, text: string | undefined, min: number, max: number): number | undefined {
    const value = this.number(name, text, min, max);
    if (value === undefined || Number.isInteger(value)) return value;
    throw this.wrong(`${name} must be a whole number, but is "${text}".`);
  }

  /** From 1, as many as one likes. */
  count(name: string, text: string | undefined): number | undefined {
    const count = text === undefined ? undefined : Number(text);
    if (count === undefined || (Number.isSafeInteger(count) && count >= 1)) return count;
    throw this.wrong(`${name} must be a whole number from 1, but is "${text}".`);
  }

  timeMs(name: string, text: string | undefined): number | undefined {
    const time = text === undefined ? undefined : writtenTimeMs(text);
    if (text === undefined || time !== undefined) return time;
    throw this.wrong(`${name} must be a time such as 2026-11-28T20:00:00Z, but is "${text}".`);
  }

  /** What a command does, by its first word. */
  verb<const Verb extends string>(name: string, verbs: readonly Verb[]): Verb {
    const verb = verbs.find((known) => known === name);
    if (verb !== undefined) return verb;
    throw this.wrong(`there is no command "${name}": there are ${verbs.join(', ')}.`);
  }

  /** `what` a command or verb takes: `the id of one job`. */
  oneWord(command: string, positionals: readonly string[], what: string): string {
    const [word, ...more] = positionals;
    if (word !== undefined && more.length === 0) return word;
    throw this.wrong(`${command} takes ${what}.`);
  }

  noWord(command: string, positionals: readonly string[]): void {
    if (positionals.length > 0) throw this.wrong(`${command} takes no "${positionals[0]}".`);
  }
}

/** As ISO 8601 has it: a date, with or without a time of day. Undefined for anything else. */
export function writtenTimeMs(text: string): number | undefined {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
