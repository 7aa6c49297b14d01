import type { Bundle } from '#models/bundle.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { describeError, type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TRACEPARENT_HEADER, traceparentOf } from '#runtime/trace.ts';
import { type DeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId, parseFrameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import type { Delivery, Outcome } from './delivery.ts';

export interface DeadLetterOptions {
  readonly topic: string;
  readonly framing: Framing;
  /** Consumer group. */
  readonly consumer: string;
  readonly bundle: Pick<Bundle, 'manifest' | 'digest'>;
  readonly nowUs: () => number;
}

/**
 * The outcome of a record that cannot become results: it is written, with the reason, to the
 * dead-letter topic in the same transaction that moves past it, so the partition goes on and
 * nothing is lost.
 */
export function deadLetterOutcome(
  delivery: Delivery,
  error: unknown,
  options: DeadLetterOptions,
): Outcome {
  const { record } = delivery;
  const reason = reasonOf(error);
  const identity = delivery.identity ?? identityFromHeader(record);
  const letter: DeadLetter = {
    reason,
    detail: describeError(error).slice(0, 1000),
    frameId: identity === undefined ? null : frameId(identity),
    cameraId: identity?.cameraId ?? null,
    originTopic: record.topic,
    originPartition: record.partition,
    originOffset: record.offset,
    originTimestampMs: record.timestampMs,
    originKey: record.key === null ? null : Buffer.from(record.key),
    originHeaders: headersWithin(record.headers, LIMITS.deadLetterHeadersBytesMax),
    originValue: record.value,
    originBytes: record.value?.length ?? 0,
    consumer: options.consumer,
    failedTimeUs: options.nowUs(),
    bundleDigest: options.bundle.digest,
    bundleName: options.bundle.manifest.name,
    bundleVersion: options.bundle.manifest.version,
    stack: stackOf(error),
    redrives: delivery.redrives,
  };
  const traceparent = traceparentOf(record.headers);
  const headers = {
    ...(letter.frameId === null ? {} : { 'frame-id': letter.frameId }),
    ...(traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }),
  };
  const value = encodeDeadLetter(letter, options.framing);
  // The origin's key keeps dead letters of a camera in its partition number.
  const key = record.key ?? identity?.cameraId ?? 'unknown';
  return {
    kind: 'dead-letter',
    records: [{ topic: options.topic, key, value, headers }],
    counters: [`dead-letter-${reason}`],
  };
}

/** A mistake of ours that a record provokes is put down to the record: the others must go on. */
function reasonOf(error: unknown): ErrorCode {
  return error instanceof HalfsightError ? error.code : 'record-malformed';
}

/** Operating errors say all there is to say; a mistake of ours has to be found. */
function stackOf(error: unknown): string | null {
  if (error instanceof HalfsightError || !(error instanceof Error)) return null;
  return error.stack?.slice(0, LIMITS.deadLetterStackLengthMax) ?? null;
}

/** A record that cannot be read may still say in its headers which frame it was. */
function identityFromHeader({ headers }: IncomingRecord) {
  const header = headers['frame-id'];
  return header === undefined ? undefined : parseFrameId(Buffer.from(header).toString('utf8'));
}

/** Headers are not bounded by our own limits; those that do not fit are left out. */
function headersWithin(headers: IncomingRecord['headers'], bytesMax: number) {
  let bytes = 0;
  const kept = Object.entries(headers).filter(([name, value]) => {
    bytes += name.length + value.length;
    return bytes <= bytesMax;
  });
  return Object.fromEntries(kept);
}
