import { readFileSync } from 'node:fs';
import { HalfsightError } from './errors.ts';

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** What is wrong with the address of a broker, without the password that it may hold. */
export function problemOfBroker(address: string): string | undefined {
  if (/^(\[[0-9a-fA-F:]+\]|[^\s:/@]+):\d{1,5}$/.test(address)) return undefined;
  return `"${address.replace(/.*@/, '***@')}" is no host:port`;
}

/** Editors and `echo` end a file with a line break that nobody means. */
export function readSecretFile(file: string): string {
  const secret = readFileSync(file, 'utf8').replace(/[\r\n]+$/, '');
  if (secret === '') throw new Error('it is empty');
  return secret;
}

/** Reads variables one by one and collects what is wrong with them. */
export class VariableReader<Name extends string> {
  readonly #variables: Readonly<Record<string, string | undefined>>;
  readonly #problems: string[] = [];

  constructor(variables: Readonly<Record<string, string | undefined>>) {
    this.#variables = variables;
  }

  reject(problem: string): void {
    this.#problems.push(problem);
  }

  finish(): void {
    if (this.#problems.length === 0) return;
    throw new HalfsightError('settings-invalid', `${this.#problems.join('; ')}.`, {
      advice: 'Correct the environment variables named above.',
    });
  }

  text(name: Name): string | undefined {
    const value = this.#variables[name]?.trim();
    return value === '' ? undefined : value;
  }

  matching(name: Name, pattern: RegExp): string | undefined {
    const value = this.text(name);
    if (value === undefined || pattern.test(value)) return value;
    this.reject(`${name}=${value} does not match ${pattern.source}`);
    return undefined;
  }

  oneOf<const Choice extends string>(name: Name, choices: readonly Choice[]): Choice | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === value.toLowerCase());
    if (choice === undefined) this.reject(`${name}=${value} is none of ${choices.join(', ')}`);
    return choice;
  }

  integer(name: Name, min: number, max: number): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const number = Number(value);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    this.reject(`${name}=${value} is no whole number from ${min} to ${max}`);
    return undefined;
  }

  list(name: Name): readonly string[] | undefined {
    const parts = this.text(name)
      ?.split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
    return parts === undefined || parts.length === 0 ? undefined : parts;
  }

  /** A URL that may hold a password, so that its value never appears in an error. */
  url(name: Name, protocols: readonly string[]): string | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url === undefined || url.hostname === '' || !protocols.includes(url.protocol)) {
      const beginnings = protocols.map((protocol) => `${protocol}//`).join(' or ');
      this.reject(`${name} is no URL that begins with ${beginnings} and names a host`);
      return undefined;
    }
    try {
      decodeURIComponent(url.username + url.password);
    } catch {
      this.reject(`${name}: "%" in a user or password must be written as %25`);
      return undefined;
    }
    return value;
  }

  listen(name: Name): ListenAddress | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const [, host = '', port = ''] = /^(\[[0-9a-fA-F:]+\]|[^\s:/@]+):(\d{1,5})$/.exec(value) ?? [];
    if (host !== '' && Number(port) <= 65_535) {
      return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
    }
    this.reject(`${name}=${value} is no host:port`);
    return undefined;
  }

  brokers(name: Name): readonly string[] | undefined {
    const brokers = this.list(name);
    for (const broker of brokers ?? []) {
      const problem = problemOfBroker(broker);
      if (problem !== undefined) this.reject(`${name}: ${problem}`);
    }
    return brokers;
  }

  /** Of the file that a variable names. */
  content(name: Name): string | undefined {
    const file = this.text(name);
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      this.reject(`${name}=${file} cannot be read (${(error as Error).message})`);
      return undefined;
    }
  }

  /** A secret given directly or through a file. Its value never appears in an error. */
  secret(name: Name, fileName: Name): string | undefined {
    const file = this.text(fileName);
    if (file === undefined) return this.text(name);
    if (this.text(name) !== undefined) {
      this.reject(`${name} and ${fileName} are both set: keep one, better the file`);
    }
    try {
      return readSecretFile(file);
    } catch (error) {
      this.reject(`${fileName}=${file} cannot be read (${(error as Error).message})`);
      return undefined;
    }
  }
}
