/** A span as the wall keeps it: plain JSON. */
export interface TraceSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Null: it began the trace, as far as is known. */
  readonly parentSpanId: string | null;
  readonly name: string;
  /** Of the resource, such as `halfsight-inference`. */
  readonly service: string;
  readonly kind: SpanKindName;
  /** Microseconds since the Unix epoch, as is `endUs`, which is never before. */
  readonly startUs: number;
  readonly endUs: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Other spans that have to do with it: those of the companions in its batch, say. */
  readonly links: readonly SpanLink[];
  /** What went wrong in it; null: nothing. */
  readonly error: string | null;
}

export type AttributeValue = string | number | boolean;

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
}

/** In the order of OTLP's numbers. */
export const SPAN_KINDS = [
  'unspecified',
  'internal',
  'server',
  'client',
  'producer',
  'consumer',
] as const;
export type SpanKindName = (typeof SPAN_KINDS)[number];

/** The attribute that names the frame of a span. */
export const FRAME_ID = 'halfsight.frame.id';

export function frameIdOf({ attributes }: Pick<TraceSpan, 'attributes'>): string | undefined {
  const id = attributes[FRAME_ID];
  return typeof id === 'string' ? id : undefined;
}
