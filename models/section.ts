import { type ErrorCode, HalfsightError } from '#runtime/errors.ts';

/** An object of a JSON file that knows its path, so that every error names the file and the key. */
export class Section {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #file: string;
  readonly #code: ErrorCode;
  readonly #path: string;

  /** `code`: of the error for what is wrong in it. */
  constructor(json: unknown, file: string, code: ErrorCode, path = '') {
    this.#file = file;
    this.#code = code;
    this.#path = path;
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw this.#invalid(`${path === '' ? 'it' : path} is ${show(json)}, not an object`);
    }
    this.#values = json as Readonly<Record<string, unknown>>;
  }

  keys(): string[] {
    return Object.keys(this.#values);
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  section(key: string): Section {
    return new Section(this.#values[key], this.#file, this.#code, this.#name(key));
  }

  sections(key: string): Section[] {
    return this.#list(key).map((item, index) => {
      return new Section(item, this.#file, this.#code, `${this.#name(key)}[${index}]`);
    });
  }

  text(key: string): string {
    const value = this.#values[key];
    if (typeof value === 'string' && value !== '') return value;
    return this.refuse(key, `${show(value)}, not a text`);
  }

  texts(key: string): string[] {
    const list = this.#list(key);
    if (list.every((item) => typeof item === 'string') && list.length > 0) return list as string[];
    return this.refuse(key, 'not a list of texts');
  }

  number(key: string, min: number, max: number): number {
    const value = this.#values[key];
    if (typeof value === 'number' && value >= min && value <= max) return value;
    return this.refuse(key, `${show(value)}, not a number from ${min} to ${max}`);
  }

  integer(key: string, min: number, max: number): number {
    const value = this.number(key, min, max);
    return Number.isInteger(value) ? value : this.refuse(key, `${value}, not a whole number`);
  }

  integers(key: string, count: number, max: number): number[] {
    const list = this.#list(key);
    const good = (item: unknown) =>
      Number.isInteger(item) && Number(item) >= 0 && Number(item) <= max;
    if (list.length === count && list.every(good)) return list as number[];
    return this.refuse(key, `not a list of ${count} whole numbers from 0 to ${max}`);
  }

  digest(key: string): string {
    const value = this.text(key);
    if (/^[0-9a-f]{64}$/.test(value)) return value;
    return this.refuse(key, `"${value}", not a SHA-256 in 64 hex digits`);
  }

  file(key: string): string {
    const value = this.text(key);
    this.checkFileName(key, value);
    return value;
  }

  /** A plain name: nothing may reach outside its folder. */
  checkFileName(key: string, name: string): void {
    if (/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(name)) return;
    this.refuse(key, `"${name}", not the name of a file in its folder`);
  }

  /** Of a head; it is part of a folder's name. */
  version(key: string): string {
    const value = this.text(key);
    if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(value)) return value;
    return this.refuse(key, `"${value}", not 1 to 32 letters, digits, ".", "_" or "-"`);
  }

  constant(key: string, only: string): void {
    const value = this.#values[key];
    if (value !== only) this.refuse(key, `${show(value)}, and this program reads only "${only}"`);
  }

  refuse(key: string, what: string): never {
    throw this.#invalid(`${this.#name(key)} is ${what}`);
  }

  #invalid(what: string): HalfsightError {
    return new HalfsightError(this.#code, `${this.#file}: ${what}.`);
  }

  #list(key: string): unknown[] {
    const value = this.#values[key];
    return Array.isArray(value) ? value : this.refuse(key, `${show(value)}, not a list`);
  }

  #name(key: string): string {
    return this.#path === '' ? key : `${this.#path}.${key}`;
  }
}

function show(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}
