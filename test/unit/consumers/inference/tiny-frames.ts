import { encodeBitstream } from '#codec/bitstream.ts';
import { createTables } from '#codec/tables.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { encodeFrame, type FrameRecord } from '#schemas/frame.ts';
import { type Framing, singleObjectFraming } from '#schemas/framing.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

/**
 * Frames that the tiny test bundle made: the latent of a grey picture, whose brightness decides
 * what every head finds (see test/golden/make-tiny-bundle.py).
 */
export interface TinyFrames {
  readonly bundle: Bundle;
  readonly framing: Framing;
  /** `brightness`: 0 to 255, in steps of 8 from 128. */
  frame(sequence: number, changes?: Partial<FrameRecord>, brightness?: number): FrameRecord;
  record(sequence: number, changes?: Partial<FrameRecord>, brightness?: number): Uint8Array;
  /** A bitstream coded with tables that no bundle of ours has. */
  foreignBitstream(): Uint8Array;
}

export const EPOCH = 1_700_000_000_000;

export async function tinyFrames(): Promise<TinyFrames> {
  const bundle = await loadBundle(TINY_BUNDLE);
  const framing = singleObjectFraming();
  const { name, version, input } = bundle.manifest;
  const shape = bundle.latentShape();
  const bitstream = (brightness: number) => {
    const symbol = Math.round((brightness - 128) / 8);
    const symbols = new Int32Array(shape.channels * shape.height * shape.width).fill(symbol);
    const tables = defined(bundle.tablesByRatePoint[0], 'tables');
    return encodeBitstream({ ...shape, symbols }, tables, { ratePoint: 0 });
  };
  const frame: TinyFrames['frame'] = (sequence, changes = {}, brightness = 192) => ({
    cameraId: 'cam-1',
    epoch: EPOCH,
    sequence,
    captureTimeUs: EPOCH * 1000 + sequence * 40_000,
    timeSource: 'synthetic',
    encodeTimeUs: EPOCH * 1000 + sequence * 40_000 + 5_000,
    encodeDurationUs: 4_000,
    sourceWidth: 640,
    sourceHeight: 480,
    inputWidth: input.width,
    inputHeight: input.height,
    content: { x: 0, y: 8, width: 64, height: 48 },
    bundleName: name,
    bundleVersion: version,
    bundleDigest: bundle.digestBytes,
    ratePoint: 0,
    dropped: {},
    heads: null,
    bitstream: bitstream(brightness),
    ...changes,
  });
  return {
    bundle,
    framing,
    frame,
    foreignBitstream() {
      const { offsets, cdfs } = defined(bundle.tablesByRatePoint[0], 'tables');
      const foreign = createTables({
        offsets: [...offsets].map((offset) => offset + 1),
        sizes: cdfs.map((cdf) => cdf.length),
        cdfs: cdfs.map((cdf) => [...cdf]),
      });
      const symbols = new Int32Array(shape.channels * shape.height * shape.width);
      return encodeBitstream({ ...shape, symbols }, foreign, { ratePoint: 0 });
    },
    record: (sequence, changes, brightness) =>
      encodeFrame(frame(sequence, changes, brightness), framing),
  };
}
