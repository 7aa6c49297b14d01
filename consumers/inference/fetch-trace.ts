import { type Span, type SpanOptions, type Tracer, traceparentOf } from '#runtime/trace.ts';
import { frameId, isCameraId } from '#schemas/frame.ts';
import { type Delivery, identityFromHeader } from './delivery.ts';

/**
 * Whoever analyses frames that were analysed before, days ago perhaps, begins traces of its own
 * that link to those of the frames. What a frame's trace was begun for is done then, and a backend
 * may have closed it. OpenTelemetry's conventions ask for that link from whatever processes a
 * message to what created it; a child of it, as live consumers are, says more than they ask for:
 * https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/#consumer-spans
 */
export interface OwnTraces {
  /** On the first span of each. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface ParseTraceOptions {
  readonly tracer: Tracer;
  /** Undefined: what is done here belongs to the trace of the frame. */
  readonly ownTraces?: OwnTraces | undefined;
}

/**
 * The span in which a record is parsed. The time in the lane's queue is the `fetch` span before it;
 * both exist for sampled frames only.
 */
export function startParsing(delivery: Delivery, options: ParseTraceOptions): Span {
  const { tracer, ownTraces } = options;
  const { record, fetchTimeUs } = delivery;
  const sampled = traceparentOf(record.headers);
  if (sampled === undefined) return tracer.start('parse');
  const place: SpanOptions =
    ownTraces === undefined ? { parent: sampled } : { root: true, links: [sampled] };
  const attributes = { ...attributesOf(delivery), ...ownTraces?.attributes };
  const common = { kind: 'consumer', startTimeUs: fetchTimeUs, attributes } as const;
  const fetch = tracer.start('fetch', { ...place, ...common });
  fetch.end();
  return tracer.start('parse', { parent: fetch.traceparent() });
}

/** What the record says of itself, as far as it can be true: anybody may have written it. */
export function attributesOf({ record }: Delivery): Record<string, string | number> {
  const { key } = record;
  const identity = identityFromHeader(record);
  return {
    ...(identity && { 'halfsight.frame.id': frameId(identity) }),
    ...(key !== null && isCameraId(key) ? { 'halfsight.camera.id': key } : {}),
    'messaging.system': 'kafka',
    'messaging.destination.name': record.topic,
    'messaging.destination.partition.id': String(record.partition),
    'messaging.kafka.offset': record.offset,
  };
}
