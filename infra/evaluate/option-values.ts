import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';

/** Reads the values of a command's options. All throw `usage-invalid`. */
export class OptionValues {
  readonly #command: string;
  readonly #folder: string;

  /** Relative paths are looked for in `folder`. */
  constructor(command: string, folder: string) {
    this.#command = command;
    this.#folder = folder;
  }

  folder(name: string, value: string | undefined): string {
    if (value === undefined || value === '') throw this.wrong(`${name} is missing.`);
    return resolve(this.#folder, value);
  }

  file(name: string, value: string | undefined): string {
    const path = this.folder(name, value);
    if (existsSync(path) && statSync(path).isFile()) return path;
    throw this.wrong(`${name} ${value}: there is no file ${path}.`);
  }

  /** A whole number from 1. */
  count(name: string, text: string): number {
    const count = Number(text);
    if (Number.isInteger(count) && count >= 1) return count;
    throw this.wrong(`${name} must be a whole number from 1, but is "${text}".`);
  }

  wrong(message: string): HalfsightError {
    return new HalfsightError('usage-invalid', message, {
      advice: `See npm run ${this.#command} -- --help.`,
    });
  }
}
