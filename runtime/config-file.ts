import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { HalfsightError } from './errors.ts';

/** Where a value stands, for errors: `cameras[2].fps` and `agent.yaml:14`. */
export interface Place {
  readonly key: string;
  readonly line: string;
}

/**
 * A YAML file read key by key. Mistakes are collected, each with the key and the line, so that one
 * start shows them all; `finish` throws them.
 */
export class ConfigFile {
  readonly #fileName: string;
  readonly #manual: string;
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #problems: string[] = [];
  /** Every key that the program has asked for, with list positions as `[]`. */
  readonly keysKnown = new Set<string>();

  /** `manual`: the file that explains every key. */
  constructor(fileName: string, text: string, manual: string) {
    this.#fileName = fileName;
    this.#manual = manual;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const error of this.#document.errors) {
      const { line } = this.#lines.linePos(error.pos[0]);
      this.#problems.push(`${error.message.trim()} (${fileName}:${line})`);
    }
  }

  /** The whole file. With a syntax error there is nothing worth reading, so that is thrown here. */
  root(): Section {
    this.finish();
    const { contents } = this.#document;
    const map = isMap(contents) ? contents : undefined;
    if (map === undefined && contents !== null) {
      this.reject(
        { key: this.#fileName, line: `${this.#fileName}:1` },
        'must hold keys and values',
      );
    }
    return new Section(this, '', map, `${this.#fileName}:1`);
  }

  reject(place: Place, problem: string): void {
    this.#problems.push(`${place.key}: ${problem} (${place.line})`);
  }

  finish(): void {
    if (this.#problems.length === 0) return;
    const count = this.#problems.length === 1 ? '' : `${this.#problems.length} mistakes: `;
    const inOrder = this.#problems.toSorted((a, b) => lineNumber(a) - lineNumber(b));
    throw new HalfsightError('config-invalid', `${count}${inOrder.join('; ')}.`, {
      advice: `${this.#manual} explains every key.`,
    });
  }

  lineOf(node: Node): string {
    return `${this.#fileName}:${this.#lines.linePos(node.range?.[0] ?? 0).line}`;
  }

  /** What an alias (`*name`) stands for. */
  resolve(alias: Alias): Node | undefined {
    return alias.resolve(this.#document);
  }
}

/** One map of the file. Call `end` when all its keys were asked for: others are mistakes. */
export class Section {
  readonly #file: ConfigFile;
  /** `cameras[2]`; empty for the whole file. */
  readonly path: string;
  readonly #map: YAMLMap | undefined;
  readonly #line: string;
  readonly #asked = new Set<string>();

  constructor(file: ConfigFile, path: string, map: YAMLMap | undefined, line: string) {
    this.#file = file;
    this.path = path;
    this.#map = map;
    this.#line = line;
  }

  /** Where `key` stands, or its section when it is absent. */
  place(key: string): Place {
    const node = this.#node(key);
    const line = node === undefined ? this.#line : this.#file.lineOf(node);
    return { key: this.path === '' ? key : `${this.path}.${key}`, line };
  }

  reject(key: string, problem: string): void {
    this.#file.reject(this.place(key), problem);
  }

  /** Also where it has no value, as in `fleet:`. */
  has(key: string): boolean {
    this.#node(key);
    return this.#map?.has(key) ?? false;
  }

  text(key: string): string | undefined {
    const value = this.#scalar(key);
    if (value === undefined || typeof value === 'string') return value;
    this.reject(key, `must be a text, but is ${describe(value)}`);
    return undefined;
  }

  matching(key: string, pattern: RegExp, meaning: string): string | undefined {
    const value = this.text(key);
    if (value === undefined || pattern.test(value)) return value;
    this.reject(key, `must be ${meaning}, but is ${describe(value)}`);
    return undefined;
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.#scalar(key);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.reject(key, `must be a number from ${min} to ${max}, but is ${describe(value)}`);
    return undefined;
  }

  integer(key: string, min: number, max: number): number | undefined {
    const value = this.#scalar(key);
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && Number(value) >= min && Number(value) <= max) {
      return Number(value);
    }
    this.reject(key, `must be a whole number from ${min} to ${max}, but is ${describe(value)}`);
    return undefined;
  }

  boolean(key: string): boolean | undefined {
    const value = this.#scalar(key);
    if (value === undefined || typeof value === 'boolean') return value;
    this.reject(key, `must be true or false, but is ${describe(value)}`);
    return undefined;
  }

  /** A text or a whole number, for what may be named or numbered. */
  textOrInteger(key: string): string | number | undefined {
    const value = this.#scalar(key);
    if (value === undefined || typeof value === 'string') return value;
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    this.reject(key, `must be a name or a whole number, but is ${describe(value)}`);
    return undefined;
  }

  texts(key: string): readonly string[] | undefined {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (isSeq(node)) {
      const values = node.items.map((item) => (isScalar(item) ? item.value : undefined));
      if (values.every((value) => typeof value === 'string')) return values;
    }
    this.reject(key, 'must be a list of texts');
    return undefined;
  }

  section(key: string): Section {
    const node = this.#node(key);
    if (node !== undefined && !isMap(node)) this.reject(key, 'must hold keys and values');
    const { key: path, line } = this.place(key);
    return new Section(this.#file, path, isMap(node) ? node : undefined, line);
  }

  /** The maps of a list; items that are none are rejected and left out. */
  sections(key: string): readonly Section[] {
    const node = this.#node(key);
    if (node === undefined) return [];
    if (!isSeq(node)) {
      this.reject(key, 'must be a list');
      return [];
    }
    return node.items.flatMap((raw, index) => {
      const item = this.#resolved(raw as Node);
      const path = `${this.place(key).key}[${index}]`;
      const line = this.#file.lineOf(item ?? node);
      if (isMap(item)) return [new Section(this.#file, path, item, line)];
      this.#file.reject({ key: path, line }, 'must hold keys and values');
      return [];
    });
  }

  /** Rejects every key that nobody asked for. */
  end(): void {
    for (const pair of this.#map?.items ?? []) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '(not a text)';
      if (this.#asked.has(name)) continue;
      const path = this.path === '' ? name : `${this.path}.${name}`;
      const line = this.#file.lineOf(pair.key as Node);
      this.#file.reject({ key: path, line }, `is no setting${didYouMean(name, this.#asked)}`);
    }
  }

  #scalar(key: string): unknown {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (isScalar(node)) return node.value;
    this.reject(key, 'must be one value, not a list or a map');
    return undefined;
  }

  /** The node of a key; undefined also for a key without a value, as in `kafka:`. */
  #node(key: string): Node | undefined {
    this.#asked.add(key);
    const path = this.path === '' ? key : `${this.path}.${key}`;
    this.#file.keysKnown.add(path.replace(/\[\d+\]/g, '[]'));
    const node = this.#resolved(this.#map?.get(key, true) as Node | undefined);
    return isScalar(node) && node.value === null ? undefined : node;
  }

  #resolved(node: Node | undefined): Node | undefined {
    return isAlias(node) ? this.#file.resolve(node) : node;
  }
}

/** The 14 of `cameras[2].fps: must be ... (agent.yaml:14)`. */
function lineNumber(problem: string): number {
  return Number(/:(\d+)\)$/.exec(problem)?.[1] ?? 0);
}

/** `; did you mean "fps"?`, or the keys there are when nothing is near. */
export function didYouMean(name: string, choices: Iterable<string>): string {
  const ranked = [...choices]
    .map((choice) => ({ choice, distance: editDistance(fold(name), fold(choice)) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  if (best === undefined) return '';
  if (best.distance <= Math.max(1, Math.floor(name.length / 3))) {
    return `; did you mean "${best.choice}"?`;
  }
  return `; known here: ${ranked.map(({ choice }) => choice).join(', ')}`;
}

/** `rate_point`, `rate-point` and `RatePoint` are the same mistake. */
function fold(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '');
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const substitution = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(substitution, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : String(value);
}
