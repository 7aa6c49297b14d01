import { assert } from '#runtime/assert.ts';
import type { Raster } from './raster.ts';
import { PictureCutter, runFfmpeg } from './sequence/ffmpeg.ts';

/**
 * A still picture by x265, 4:4:4, 8 bit, as BPG codes one. BPG's file has a header of about a dozen
 * bytes in the place of HEVC's parameter sets, so only what is not a parameter set is counted, and
 * that header is not: the opponent at its best.
 */
const QUIET = ['-hide_banner', '-nostats', '-loglevel', 'error'];
const X265 = 'pools=none:frame-threads=1:log-level=error:info=0:hrd=0:aud=0:keyint=1';
/** A byte stream's units start with 00 00 01; the type is in bits 1 to 6 of the next byte. */
const PARAMETER_SETS = new Set([32, 33, 34]);
/** Parameter sets do not depend on the picture: each size and quality has its own, kept here. */
const headers = new WeakMap<Uint8Array, Uint8Array>();

export async function encodeHevcIntra(raster: Raster, quantiser: number): Promise<Uint8Array> {
  const { pixels, width, height } = raster;
  const chunks: Uint8Array[] = [];
  await runFfmpeg(
    [
      ...[...QUIET, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${width}x${height}`],
      ...['-i', 'pipe:0', '-threads', '1', '-filter_threads', '1', '-frames:v', '1'],
      ...['-sws_flags', 'bicubic+accurate_rnd+full_chroma_inp', '-pix_fmt', 'yuv444p'],
      ...['-c:v', 'libx265', '-preset', 'slower', '-tune', 'psnr'],
      ...['-x265-params', `${X265}:qp=${quantiser}`, '-f', 'hevc', 'pipe:1'],
    ],
    { input: [pixels], onOutput: (chunk) => chunks.push(chunk) },
  );
  const units = unitsOf(Buffer.concat(chunks));
  const isParameterSet = (unit: Uint8Array) => PARAMETER_SETS.has(typeOf(unit));
  const picture = Buffer.concat(units.filter((unit) => !isParameterSet(unit)));
  headers.set(picture, Buffer.concat(units.filter(isParameterSet)));
  return picture;
}

export async function decodeHevcIntra(
  bytes: Uint8Array,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Raster> {
  const header = headers.get(bytes);
  assert(header !== undefined, 'only what was encoded here is decoded here');
  const cutter = new PictureCutter(width * height * 3);
  await runFfmpeg(
    [
      ...[...QUIET, '-threads', '1', '-f', 'hevc', '-i', 'pipe:0', '-frames:v', '1'],
      ...['-sws_flags', 'bicubic+accurate_rnd+full_chroma_int', '-pix_fmt', 'rgb24'],
      ...['-f', 'rawvideo', 'pipe:1'],
    ],
    { input: [header, bytes], onOutput: (chunk) => cutter.take(chunk) },
  );
  const [pixels] = cutter.pictures;
  assert(pixels !== undefined, 'one picture in, one picture out');
  return { pixels, width, height };
}

/** Annex B of H.265: units with their start codes. */
function unitsOf(stream: Uint8Array): Uint8Array[] {
  const starts: number[] = [];
  for (let at = 0; at + 2 < stream.length; at++) {
    if (stream[at] !== 0 || stream[at + 1] !== 0 || stream[at + 2] !== 1) continue;
    starts.push(at);
    at += 2;
  }
  return starts.map((start, index) => stream.subarray(start, starts[index + 1] ?? stream.length));
}

function typeOf(unit: Uint8Array): number {
  return ((unit[3] ?? 0) >> 1) & 0x3f;
}
