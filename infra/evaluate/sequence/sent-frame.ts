import { encodeBitstream } from '#codec/bitstream.ts';
import type { Engine } from '#consumers/inference/engine.ts';
import type { EngineFrame } from '#consumers/inference/engine-protocol.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import type { Bundle } from '#models/bundle.ts';
import type { Encoder } from '#models/encoder.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { decodeFrame } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';
import type { Letterboxed } from '../raster.ts';
import { frameRecord, framing } from '../records.ts';

/** A frame as the camera has it, letterboxed to the bundle's input. */
export interface CameraFrame extends Letterboxed {
  /** What the camera sent, pixels. */
  readonly source: { readonly width: number; readonly height: number };
}

export interface SentFrame {
  /** The whole record value that would go to Kafka. */
  readonly record: Uint8Array;
  /** Of what the codec made, which is part of it. */
  readonly codecBytes: number;
}

/** The camera's side. */
export async function sendFrame(
  { pixels, content, source }: CameraFrame,
  ratePoint: number,
  { bundle, encoder }: { readonly bundle: Bundle; readonly encoder: Encoder },
): Promise<SentFrame> {
  const tables = defined(bundle.tablesByRatePoint[ratePoint], `tables of rate point ${ratePoint}`);
  const latent = await encoder.encode(pixels, ratePoint);
  const bitstream = encodeBitstream(latent, tables, { ratePoint });
  const { input } = bundle.manifest;
  const record = frameRecord({ bundle, ratePoint, source, input, content, bitstream });
  return { record, codecBytes: bitstream.length };
}

/** The consumer's side as far as its engine: it has the record, and nothing else. */
export function receiveFrame(record: Uint8Array): EngineFrame {
  const { bitstream, inputWidth, inputHeight, content } = decodeFrame(record, framing);
  return { bitstream, geometry: { inputWidth, inputHeight, content } };
}

/** What the engine finds in one frame; throws what it says where it cannot decode it. */
export async function findIn(
  frame: EngineFrame,
  engine: Pick<Engine, 'run'>,
): Promise<readonly Finding[]> {
  const { frames } = await engine.run({ frames: [frame] });
  const output = defined(frames[0], 'what the engine says of its frame');
  if ('findings' in output) return output.findings;
  throw new HalfsightError(output.refusal.code, output.refusal.message);
}

export function findingOf<Wanted extends Task>(
  findings: readonly Finding[],
  task: Wanted,
): Extract<Finding, { task: Wanted }> | undefined {
  return findings.find((item): item is Extract<Finding, { task: Wanted }> => item.task === task);
}
