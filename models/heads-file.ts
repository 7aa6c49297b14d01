import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';
import type { Head } from './manifest.ts';
import { Section } from './section.ts';

/** Versions of one task's heads. */
export interface TaskHeads {
  /** Whose findings are published; undefined: the bundle's own. */
  readonly live?: string;
  /** Which was live before; what starts runs it where `live` does not run. Undefined: as above. */
  readonly former?: string;
  /** Which runs beside it, to be compared. */
  readonly shadow?: string;
}

/** `heads.json` in the folder of all heads: which of them are in service. */
export type HeadsFile = Readonly<Partial<Record<Head['task'], TaskHeads>>>;

export const HEADS_FILE = 'heads.json';
const FORMAT = 'halfsight-heads/1';
const TASKS: readonly Head['task'][] = ['classification', 'detection', 'segmentation'];

/** Undefined where there is none. Throws `head-invalid`, or `head-missing` if it cannot be read. */
export async function readHeadsFile(directory: string): Promise<HeadsFile | undefined> {
  const path = join(directory, HEADS_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const message = `${path} cannot be read: ${(cause as Error).message}.`;
    throw new HalfsightError('head-missing', message, { cause });
  }
  return parseHeadsFile(text);
}

export function parseHeadsFile(text: string): HeadsFile {
  const root = new Section(parseJson(text), HEADS_FILE, 'head-invalid');
  root.constant('format', FORMAT);
  const heads = root.section('heads');
  const entries = heads.keys().map((key) => {
    const task = TASKS.find((known) => known === key);
    if (task === undefined) return heads.refuse(key, 'no task of this program');
    const section = heads.section(key);
    const version = (role: keyof TaskHeads) =>
      section.has(role) ? { [role]: section.version(role) } : {};
    return [task, { ...version('live'), ...version('former'), ...version('shadow') }] as const;
  });
  return Object.fromEntries(entries);
}

export function headsFileText(heads: HeadsFile): string {
  return `${JSON.stringify({ format: FORMAT, heads }, undefined, 1)}\n`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `${HEADS_FILE} is no JSON: ${(cause as Error).message}.`;
    throw new HalfsightError('head-invalid', message, { cause });
  }
}
