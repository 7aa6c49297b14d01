import { join } from 'node:path';
import type { Bundle } from '#models/bundle.ts';
import { encodeFrame, type FrameIdentity } from '#schemas/frame.ts';
import { type Framing, singleObjectFraming } from '#schemas/framing.ts';

export const SHIPPED_BUNDLE = join(import.meta.dirname, '../../../models/bundles/halfsight-lite0');

/** Makes the record of any frame; what is in it depends on the sequence number. */
export interface FrameMaker {
  readonly framing: Framing;
  record(identity: FrameIdentity, captureTimeUs: number): Uint8Array;
}

/** Frames with the bitstreams in turn; padded by the name of a version, which nobody reads. */
export function frameMaker(
  bundle: Bundle,
  bitstreams: readonly Uint8Array[],
  ratePoint: number,
  { paddingBytes = 0 } = {},
): FrameMaker {
  const framing = singleObjectFraming();
  const facts = frameFacts(bundle);
  const bundleVersion = facts.bundleVersion.padEnd(paddingBytes, '-');
  return {
    framing,
    record: (identity, captureTimeUs) => {
      const bitstream = bitstreams[identity.sequence % bitstreams.length] as Uint8Array;
      const times = { captureTimeUs, encodeTimeUs: captureTimeUs };
      return encodeFrame(
        { ...facts, bundleVersion, ...identity, ...times, ratePoint, bitstream },
        framing,
      );
    },
  };
}

function frameFacts({ manifest, digestBytes }: Bundle) {
  const { name, version, input } = manifest;
  const { width, height } = input;
  return {
    timeSource: 'synthetic',
    encodeDurationUs: 0,
    sourceWidth: width,
    sourceHeight: height,
    inputWidth: width,
    inputHeight: height,
    content: { x: 0, y: 0, width, height },
    bundleName: name,
    bundleVersion: version,
    bundleDigest: digestBytes,
    dropped: {},
    heads: null,
  } as const;
}
