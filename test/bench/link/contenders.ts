import { PIXEL_CODECS } from '#infra/evaluate/pixel-codecs.ts';
import type { Raster } from '#infra/evaluate/raster.ts';
import type { Bundle } from '#models/bundle.ts';
import { assert, defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { TASKS } from '#schemas/result.ts';
import type { AgentSettings } from '../instruments/agent-protocol.ts';
import { type BundleFrames, bundleFrames } from '../instruments/bundle-frames.ts';
import { type EqualAccuracy, ratioOf } from './equal-accuracy.ts';

/** One way to send what a camera sees. */
export interface Contender {
  readonly name: string;
  /** Of its topics; its client id, too. */
  readonly prefix: string;
  readonly encoder: AgentSettings['encoder'];
}

export interface Contenders {
  /** The bundle that comes with Halfsight, encoding; all three tasks are done on what it sends. */
  readonly own: Contender;
  readonly others: readonly Contender[];
  /** The same bitstreams as `own`, encoded before: for a camera that asks too much of its line. */
  readonly greedy: Contender;
}

export const CODECS = ['jpeg', 'webp', 'avif'] as const;
/** The bundle of the report that detects and does nothing else. */
export const ALONE = 'split-detection';
const QUALITIES = { min: 1, max: 100 };

/**
 * Halfsight, which sends the bundle's bitstreams; each codec with real files of the same pictures;
 * and three encodings, one for each task. How large those are follows from the bitstreams: as many
 * times as large, as records, as the report says that they need to be for equal accuracy.
 *
 * Of encoders for one task that of detection was measured; each of the three is taken to need as
 * much as it does. They travel in one record, which spares them what is around it twice.
 */
export async function contendersOf(
  bundle: Bundle,
  pictures: readonly Uint8Array[],
  equal: EqualAccuracy,
): Promise<Contenders> {
  const frames = await bundleFrames(bundle, pictures);
  const aroundBytes = bytesAround(frames);
  const sizesOf = (opponent: string) =>
    frames.bitstreams.map(
      ({ length }) => (length + aroundBytes) * ratioOf(equal, opponent) - aroundBytes,
    );
  const { width, height } = bundle.manifest.input;
  const rasters = pictures.map((pixels) => ({ pixels, width, height }));
  const others: Contender[] = [];
  for (const codec of CODECS) {
    const prepared = await filesOf(codec, rasters, sizesOf(codec));
    others.push({ name: codec, prefix: codec, encoder: { prepared } });
  }
  const prepared = sizesOf(ALONE).map((size, index) =>
    threeOf(defined(frames.bitstreams[index], 'a bitstream'), size),
  );
  others.push({ name: 'three encodings', prefix: 'three', encoder: { prepared } });
  const greedy = { prepared: frames.bitstreams };
  return {
    own: { name: 'halfsight', prefix: 'halfsight', encoder: 'onnx' },
    others,
    greedy: { name: 'halfsight, too fast', prefix: 'greedy', encoder: greedy },
  };
}

/** What a frame's record has beside its bitstream. */
function bytesAround({ record, bitstreams }: BundleFrames): number {
  const nowUs = systemClock.nowUs();
  const identity = { cameraId: 'camera-0', epoch: Math.floor(nowUs / 1000), sequence: 0 };
  return record(identity, nowUs).length - defined(bitstreams[0], 'a bitstream').length;
}

async function filesOf(
  codec: (typeof CODECS)[number],
  rasters: readonly Raster[],
  sizes: readonly number[],
): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [];
  for (const [index, raster] of rasters.entries()) {
    const encode = (quality: number) => PIXEL_CODECS[codec].encode(raster, quality);
    files.push(await nearestFile(encode, defined(sizes[index], 'a size')));
  }
  return files;
}

/** At the quality that comes nearest to the size; bisected, as files grow with it. */
async function nearestFile(
  encode: (quality: number) => Promise<Uint8Array>,
  size: number,
): Promise<Uint8Array> {
  let { min, max } = QUALITIES;
  let nearest = await encode(min);
  while (min < max) {
    const quality = Math.ceil((min + max) / 2);
    const file = await encode(quality);
    if (Math.abs(file.length - size) < Math.abs(nearest.length - size)) nearest = file;
    if (file.length <= size) min = quality;
    else max = quality - 1;
  }
  return nearest;
}

/** Nobody decodes them: only their bytes count, which no compression makes fewer. */
function threeOf(bitstream: Uint8Array, size: number): Uint8Array {
  assert(size <= bitstream.length, 'an encoding for one task takes no more than one for all');
  const one = bitstream.subarray(0, Math.round(size));
  return Buffer.concat(TASKS.map(() => one));
}
