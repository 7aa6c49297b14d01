import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';

/** Pictures as some other codec gave them back, and how many bytes each took. */
export interface DecodedPictures {
  readonly method: string;
  readonly setting: string;
  /** By the name of the picture's file in the COCO folder. */
  readonly pictures: ReadonlyMap<string, { readonly file: string; readonly bytes: number }>;
}

const FORMAT =
  'decoded.json is {"method", "setting", "pictures": {"<picture>": {"file", "bytes"}}}, as' +
  ' models/training/picture_codecs.py writes it.';

/** Reads a folder's decoded.json. Throws `usage-invalid`, which says what is wrong with it. */
export function readDecodedPictures(folder: string): DecodedPictures {
  const path = join(folder, 'decoded.json');
  if (!existsSync(path)) throw wrong(`--decoded ${folder} has no decoded.json.`);
  const json = parse(path);
  const { method, setting, pictures } = json;
  if (typeof method !== 'string' || typeof setting !== 'string') {
    throw wrong(`${path}: "method" and "setting" must be texts.`);
  }
  if (typeof pictures !== 'object' || pictures === null) {
    throw wrong(`${path}: "pictures" is missing.`);
  }
  const entries = Object.entries(pictures).map(([name, entry]) => {
    const { file, bytes } = (entry ?? {}) as { file?: unknown; bytes?: unknown };
    if (typeof file !== 'string' || !Number.isInteger(bytes) || Number(bytes) <= 0) {
      throw wrong(`${path}: "${name}" needs a file and its bytes.`);
    }
    const picture = join(folder, file);
    if (!existsSync(picture)) throw wrong(`${path}: there is no file ${picture}.`);
    return [name, { file: picture, bytes: Number(bytes) }] as const;
  });
  return { method, setting, pictures: new Map(entries) };
}

function parse(path: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch (error) {
    throw wrong(`${path} is no JSON: ${(error as Error).message}.`);
  }
  throw wrong(`${path} is no object.`);
}

function wrong(message: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, { advice: FORMAT });
}
