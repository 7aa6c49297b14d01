import { LIMITS } from '#runtime/limits.ts';
import { type AttributeValue, SPAN_KINDS, type SpanLink, type TraceSpan } from './trace-span.ts';

/** What an export request held. */
export interface ParsedExport {
  readonly spans: readonly TraceSpan[];
  /** Spans without what every span has, and those beyond `otlpSpansMax`. */
  readonly rejected: number;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads an OTLP/HTTP trace export request in JSON, parsed already:
 *
 *     { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [...] }] }] }
 *
 * Of what it does not know it takes no notice, as the protocol demands; whatever is missing or of
 * another type than it should be costs that span only. Numbers of 64 bits may be texts, and enums
 * are numbers: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export function parseExport(request: unknown): ParsedExport {
  const spans: TraceSpan[] = [];
  let rejected = 0;
  for (const group of listOf(fieldsOf(request)?.resourceSpans)) {
    const service = serviceOf(fieldsOf(group)?.resource);
    for (const scope of listOf(fieldsOf(group)?.scopeSpans)) {
      for (const written of listOf(fieldsOf(scope)?.spans)) {
        const isRoom = spans.length < LIMITS.otlpSpansMax;
        const span = isRoom ? readSpan(fieldsOf(written), service) : undefined;
        if (span === undefined) rejected++;
        else spans.push(span);
      }
    }
  }
  return { spans, rejected };
}

function readSpan(fields: Fields | undefined, service: string): TraceSpan | undefined {
  const traceId = idOf(fields?.traceId, 32);
  const spanId = idOf(fields?.spanId, 16);
  const startUs = microsecondsOf(fields?.startTimeUnixNano);
  const endUs = microsecondsOf(fields?.endTimeUnixNano);
  const name = textOf(fields?.name);
  if (fields === undefined || traceId === undefined || spanId === undefined) return undefined;
  if (startUs === undefined || endUs === undefined || name === undefined) return undefined;
  return {
    ...{ traceId, spanId, parentSpanId: idOf(fields.parentSpanId, 16) ?? null, name, service },
    kind: SPAN_KINDS[Number(fields.kind)] ?? 'unspecified',
    ...{ startUs, endUs: Math.max(startUs, endUs) },
    attributes: attributesOf(fields.attributes),
    links: linksOf(fields.links),
    error: errorOf(fields),
  };
}

function serviceOf(resource: unknown): string {
  const name = attributesOf(fieldsOf(resource)?.attributes)['service.name'];
  return typeof name === 'string' ? name : '';
}

function attributesOf(written: unknown): Readonly<Record<string, AttributeValue>> {
  const known: [string, AttributeValue][] = [];
  for (const one of listOf(written)) {
    if (known.length === LIMITS.otlpAttributesMax) break;
    const key = textOf(fieldsOf(one)?.key);
    const value = attributeValue(fieldsOf(fieldsOf(one)?.value));
    if (key !== undefined && value !== undefined) known.push([key, value]);
  }
  return Object.fromEntries(known);
}

/** Lists and maps are left out: none of our spans has any. */
function attributeValue(value: Fields | undefined): AttributeValue | undefined {
  if (value === undefined) return undefined;
  if (typeof value.boolValue === 'boolean') return value.boolValue;
  const number = value.intValue ?? value.doubleValue;
  if (number === undefined) return textOf(value.stringValue);
  return Number.isFinite(Number(number)) ? Number(number) : undefined;
}

function linksOf(written: unknown): readonly SpanLink[] {
  const links: SpanLink[] = [];
  for (const one of listOf(written)) {
    if (links.length === LIMITS.otlpAttributesMax) break;
    const traceId = idOf(fieldsOf(one)?.traceId, 32);
    const spanId = idOf(fieldsOf(one)?.spanId, 16);
    if (traceId !== undefined && spanId !== undefined) links.push({ traceId, spanId });
  }
  return links;
}

/** Its status says whether; the exception that was recorded with it says what. */
function errorOf({ status, events }: Fields): string | null {
  const { code, message } = fieldsOf(status) ?? {};
  if (code !== ERROR && code !== 'STATUS_CODE_ERROR') return null;
  for (const event of listOf(events)) {
    const text = attributesOf(fieldsOf(event)?.attributes)['exception.message'];
    if (typeof text === 'string' && text !== '') return text;
  }
  return textOf(message) || 'failed';
}

const ERROR = 2;

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, LIMITS.otlpTextLengthMax) : undefined;
}

function idOf(value: unknown, digits: number): string | undefined {
  if (typeof value !== 'string' || value.length !== digits) return undefined;
  const id = value.toLowerCase();
  return /^[0-9a-f]+$/.test(id) && !/^0+$/.test(id) ? id : undefined;
}

function microsecondsOf(nanoseconds: unknown): number | undefined {
  if (typeof nanoseconds !== 'string' && typeof nanoseconds !== 'number') return undefined;
  if (!/^[1-9]\d{0,19}$/.test(String(nanoseconds))) return undefined;
  return Number(BigInt(nanoseconds) / 1000n);
}
