import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { didYouMean } from '#runtime/config-file.ts';
import { SCENE_KINDS } from './scenes/scene.ts';
import type { SourceSpec } from './sources/create.ts';
import { TEST_CARD } from './sources/test-card.ts';

/** What a camera's `source` text means, or what is wrong with it. Never repeats a password. */
export type ParsedSource =
  | { readonly spec: SourceSpec; readonly canLoop: boolean }
  | { readonly problem: string };

/**
 * The forms of a source:
 *
 *     rtsp://[user:password@]host[:port]/path   a network camera; rtsps:// for RTSP over TLS
 *     path/to/clip.mp4                          a file, relative to the config file
 *     synthetic:<scene>[?seed=1&width=1280&height=720]   drawn; the scene `test-card` is cheap
 */
export function parseSource(address: string, folder: string): ParsedSource {
  if (address === '') return { problem: 'must not be empty' };
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(address)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return fileSource(isAbsolute(address) ? address : resolve(folder, address));
    case 'file':
      return fileUrlSource(address);
    case 'rtsp':
    case 'rtsps':
      return rtspSource(address);
    case 'synthetic':
      return syntheticSource(address.slice('synthetic:'.length));
    default:
      return { problem: `has the scheme "${scheme}", but must be rtsp, rtsps, file or synthetic` };
  }
}

function fileSource(path: string): ParsedSource {
  return { spec: { kind: 'ffmpeg', url: path, loop: false }, canLoop: true };
}

function fileUrlSource(address: string): ParsedSource {
  try {
    return fileSource(fileURLToPath(address));
  } catch {
    return { problem: 'is no file URL; write the plain path' };
  }
}

function rtspSource(address: string): ParsedSource {
  // WHATWG parses schemes that it does not know loosely, so the host is looked at as well.
  const url = URL.parse(address);
  if (url === null || url.host === '') return { problem: 'is no rtsp://host/path URL' };
  return { spec: { kind: 'ffmpeg', url: address, loop: false }, canLoop: false };
}

const SCENES: readonly string[] = [...SCENE_KINDS, TEST_CARD];
const PARAMETERS = ['seed', 'width', 'height'];

function syntheticSource(text: string): ParsedSource {
  const [scene = '', query = ''] = text.split('?');
  if (!SCENES.includes(scene)) {
    return { problem: `names no scene: "${scene}"${didYouMean(scene, SCENES)}` };
  }
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (PARAMETERS.includes(name)) continue;
    return { problem: `has no parameter "${name}"${didYouMean(name, PARAMETERS)}` };
  }
  const read = (name: string, fallback: number, min: number, max: number) => {
    const value = Number(parameters.get(name) ?? fallback);
    return Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  };
  const seed = read('seed', 1, 0, 2 ** 31 - 1);
  const width = read('width', 1280, 16, 4096);
  const height = read('height', 720, 16, 4096);
  if (seed === undefined) return { problem: 'needs a whole number from 0 to 2147483647 as seed' };
  if (width === undefined || height === undefined) {
    return { problem: 'needs whole numbers from 16 to 4096 as width and height' };
  }
  if (width >= height * 4 || height >= width * 4) {
    return { problem: 'needs a picture whose sides differ less than four times' };
  }
  return { spec: { kind: 'synthetic', scene, seed, width, height }, canLoop: false };
}
