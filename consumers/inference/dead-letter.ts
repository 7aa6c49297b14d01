import type { Bundle } from '#models/bundle.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { describeError, type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type Span, TRACEPARENT_HEADER, type Tracer, traceparentOf } from '#runtime/trace.ts';
import { type DeadLetter, encodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { endWith } from './commit-trace.ts';
import { type Delivery, identityFromHeader, type Outcome } from './delivery.ts';
import { attributesOf } from './fetch-trace.ts';

export interface DeadLetterOptions {
  readonly topic: string;
  readonly framing: Framing;
  /** Consumer group. */
  readonly consumer: string;
  readonly bundle: Pick<Bundle, 'manifest' | 'digest'>;
  readonly nowUs: () => number;
  readonly tracer: Tracer;
}

/**
 * The outcome of a record that cannot become results: it is written, with the reason, to the
 * dead-letter topic in the same transaction that moves past it, so the partition goes on and
 * nothing is lost. `traceparent`: of the step that gave it up; a record that was not sampled begins
 * its trace here.
 */
export function deadLetterOutcome(
  delivery: Delivery,
  error: unknown,
  options: DeadLetterOptions,
  traceparent?: string,
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
  const value = encodeDeadLetter(letter, options.framing);
  const parent = traceparent ?? traceparentOf(record.headers);
  const span = startSpan(delivery, letter, parent, options.tracer);
  const context = span.traceparent();
  const headers = {
    ...(letter.frameId === null ? {} : { 'frame-id': letter.frameId }),
    ...(context === undefined ? {} : { [TRACEPARENT_HEADER]: context }),
  };
  // The origin's key keeps dead letters of a camera in its partition number.
  const key = record.key ?? identity?.cameraId ?? 'unknown';
  return {
    kind: 'dead-letter',
    records: [{ topic: options.topic, key, value, headers }],
    counters: [`dead-letter-${reason}`],
    onEnd: (_, transactionTimeUs) => endWith(span, transactionTimeUs, options.tracer),
  };
}

/** Errors are always traced: without a parent it has the record's whole time here. */
function startSpan(
  delivery: Delivery,
  { reason, frameId: id }: DeadLetter,
  parent: string | undefined,
  tracer: Tracer,
): Span {
  const span = tracer.start('dead-letter', {
    kind: 'producer',
    ...(parent === undefined ? { root: true, startTimeUs: delivery.fetchTimeUs } : { parent }),
    attributes: {
      ...attributesOf(delivery),
      ...(id === null ? {} : { 'halfsight.frame.id': id }),
      'error.type': reason,
    },
  });
  span.fail(reason);
  return span;
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

/** Headers are not bounded by our own limits; those that do not fit are left out. */
function headersWithin(headers: IncomingRecord['headers'], bytesMax: number) {
  let bytes = 0;
  const kept = Object.entries(headers).filter(([name, value]) => {
    bytes += name.length + value.length;
    return bytes <= bytesMax;
  });
  return Object.fromEntries(kept);
}
