import type { OutgoingRecord } from '#runtime/broker.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import type { Logger } from '#runtime/log.ts';
import { TRACEPARENT_HEADER } from '#runtime/trace.ts';
import { encodeFrame, frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import type { EncodedImage } from './encode.ts';
import type { InputGeometry } from './image.ts';
import type { Journey } from './journey.ts';

/** What is the same in every record of an agent. */
export interface WrapOptions {
  readonly topic: string;
  readonly framing: Framing;
  readonly input: Pick<InputGeometry, 'width' | 'height'>;
  readonly bundleName: string;
  readonly bundleVersion: string;
  /** 32 bytes. */
  readonly bundleDigest: Uint8Array;
  readonly logger: Logger;
}

/**
 * Makes the record of an encoded frame. A frame that fits in no record is dropped, and undefined
 * returned: too many bytes is a matter of its picture, anything else of its source or its encoder,
 * and neither may end the agent, which has other cameras.
 */
export function wrapFrame(
  options: WrapOptions,
  journey: Journey,
  encoded: EncodedImage,
): OutgoingRecord | undefined {
  try {
    return recordOf(options, journey, encoded);
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    const frame = frameId(journey.identity);
    options.logger.error('frame-not-wrapped', { frame, error: describeError(error) });
    journey.dropped(error.code === 'record-too-large' ? 'record-too-large' : 'encode-failed');
    return undefined;
  }
}

function recordOf(options: WrapOptions, journey: Journey, encoded: EncodedImage): OutgoingRecord {
  const { identity, image } = journey;
  const value = encodeFrame(
    {
      cameraId: identity.cameraId,
      epoch: identity.epoch,
      sequence: identity.sequence,
      captureTimeUs: image.captureTimeUs,
      timeSource: image.timeSource,
      encodeTimeUs: encoded.encodeTimeUs,
      encodeDurationUs: encoded.encodeDurationUs,
      sourceWidth: image.sourceWidth,
      sourceHeight: image.sourceHeight,
      inputWidth: options.input.width,
      inputHeight: options.input.height,
      content: image.content,
      bundleName: options.bundleName,
      bundleVersion: options.bundleVersion,
      bundleDigest: options.bundleDigest,
      ratePoint: encoded.ratePoint ?? journey.ratePoint,
      dropped: journey.droppedSoFar,
      heads: journey.heads,
      bitstream: encoded.bitstream,
    },
    options.framing,
  );
  const traceparent = journey.trace.traceparent();
  return {
    topic: options.topic,
    key: identity.cameraId,
    value,
    headers: {
      'frame-id': frameId(identity),
      ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }),
    },
  };
}
