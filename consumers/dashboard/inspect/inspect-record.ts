import { decodeOpened, openBitstream, parseContainer } from '#codec/bitstream.ts';
import { type Container, MAGIC } from '#codec/header.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { traceparentOf } from '#runtime/trace.ts';
import { decodeFrame, type FrameRecord, frameId } from '#schemas/frame.ts';
import { type Framing, writtenWith } from '#schemas/framing.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { BitstreamFacts, FoundFrame, FrameFacts, RecordFacts } from './inspection.ts';
import { latentFacts } from './latent-facts.ts';

/** What a file lacks of a record, Kafka adds: place, key, time and headers. */
export type InspectedRecord = Pick<IncomingRecord, 'value' | 'headers'> & Partial<IncomingRecord>;

export interface ReadingOptions {
  readonly framing: Framing;
  readonly bundle: Bundle;
}

/** As far as it can be read: what stops it is told as the `problem`. */
export function inspectRecord(
  record: InspectedRecord,
  { framing, bundle }: ReadingOptions,
): FoundFrame {
  const named = record.headers['frame-id'];
  let known: FoundFrame = {
    found: true,
    frameId: named === undefined ? null : textOrHex(named),
    record: recordFacts(record),
    ...{ frame: null, bitstream: null, latent: null, problem: null },
  };
  try {
    const value = framedValue(record);
    const frame = decodeFrame(value, framing);
    const schema = schemaFacts(value, framing);
    known = { ...known, frameId: frameId(frame), frame: frameFacts(frame, schema, bundle) };
    const container = parseContainer(frame.bitstream);
    known = { ...known, bitstream: bitstreamFacts(frame.bitstream, container) };
    const opened = openFrame(frame, bundle);
    const [error] = decodeOpened([opened]);
    if (error !== undefined) throw error;
    return { ...known, latent: latentFacts(opened.header, opened.runs) };
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    const { code, message, advice = null } = error;
    return { ...known, problem: { code, message, advice } };
  }
}

function openFrame(frame: FrameRecord, bundle: Bundle) {
  try {
    return openBitstream(
      frame.bitstream,
      (hash) => bundle.tablesByHash.get(hash),
      bundle.latentShape(),
    );
  } catch (error) {
    if (!(error instanceof HalfsightError) || error.code !== 'bitstream-tables-unknown')
      throw error;
    const { manifest, digest } = bundle;
    const needed = `${frame.bundleName} ${frame.bundleVersion}`;
    const message =
      `its symbols need the tables of bundle ${needed} (SHA-256 ${hex(frame.bundleDigest)}); ` +
      `here is ${manifest.name} ${manifest.version} (SHA-256 ${digest}).`;
    throw new HalfsightError(error.code, message, {
      advice: 'HALFSIGHT_BUNDLE names the folder of the bundle.',
    });
  }
}

function recordFacts({ value, headers, ...rest }: InspectedRecord): RecordFacts {
  const { topic = null, partition = null, offset = null, key = null, timestampMs = null } = rest;
  return {
    ...{ topic, partition, offset, key, timestampMs },
    bytes: value?.length ?? 0,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, bytes]) => [name, textOrHex(bytes)]),
    ),
    traceId: traceparentOf(headers)?.split('-')[1] ?? null,
  };
}

function schemaFacts(record: Uint8Array | null, framing: Framing): FrameFacts['schema'] {
  const bytes = defined(record ?? undefined, 'a record that was decoded');
  const { resolver } = framing.open(RECORD_TYPES.frame, bytes);
  return { name: writtenWith(bytes), isCurrent: resolver === undefined };
}

function frameFacts(frame: FrameRecord, schema: FrameFacts['schema'], bundle: Bundle): FrameFacts {
  const { cameraId, epoch, sequence, captureTimeUs, timeSource } = frame;
  const { encodeTimeUs, encodeDurationUs, content, ratePoint, dropped, heads } = frame;
  const digest = hex(frame.bundleDigest);
  const { ratePoints } = bundle.manifest;
  const ratePointName = digest === bundle.digest ? ratePoints[ratePoint]?.name : undefined;
  return {
    ...{ cameraId, epoch, sequence, captureTimeUs, timeSource },
    ...{ encodeTimeUs, encodeDurationUs },
    source: { width: frame.sourceWidth, height: frame.sourceHeight },
    input: { width: frame.inputWidth, height: frame.inputHeight },
    ...{ content, schema },
    bundle: { name: frame.bundleName, version: frame.bundleVersion, digest },
    ratePoint,
    ratePointName: ratePointName ?? null,
    ...{ dropped, heads },
  };
}

function bitstreamFacts(bitstream: Uint8Array, container: Container): BitstreamFacts {
  const { header, sidePayload, chunks } = container;
  const { frameType, ratePoint, tableHash, channels, height, width, side } = header;
  const sideBytes = sidePayload?.length ?? 0;
  const payloadBytes = chunks.reduce((sum, { payload }) => sum + payload.length, sideBytes);
  return {
    bytes: bitstream.length,
    version: bitstream[MAGIC.length] ?? 0,
    frameType,
    prior: side === undefined ? 'factorised' : 'hyperprior',
    ...{ ratePoint, tableHash, channels, height, width },
    chunks: chunks.map(({ channelCount, payload }) => ({
      channels: channelCount,
      bytes: payload.length,
    })),
    side:
      side === undefined
        ? null
        : {
            ...{ channels: side.channels, height: side.height, width: side.width },
            bytes: sideBytes,
            corrections: side.corrections.length,
          },
    payloadBytes,
    containerBytes: bitstream.length - payloadBytes,
  };
}

function textOrHex(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return `0x${hex(bytes)}`;
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
