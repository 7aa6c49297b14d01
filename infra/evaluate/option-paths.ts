import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CommandLine } from '#runtime/command-line.ts';

/** Reads paths of a command's options. All throw `usage-invalid`. */
export class OptionPaths {
  readonly #line: CommandLine;
  readonly #folder: string;

  /** Relative paths are looked for in `folder`. */
  constructor(line: CommandLine, folder: string) {
    this.#line = line;
    this.#folder = folder;
  }

  folder(name: string, value: string | undefined): string {
    return resolve(this.#folder, this.#line.needed(name, value || undefined));
  }

  file(name: string, value: string | undefined): string {
    const path = this.folder(name, value);
    if (existsSync(path) && statSync(path).isFile()) return path;
    throw this.#line.wrong(`${name} ${value}: there is no file ${path}.`);
  }
}
