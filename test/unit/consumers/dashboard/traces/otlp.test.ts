import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExport } from '#consumers/dashboard/traces/otlp.ts';
import { LIMITS } from '#runtime/limits.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';
const SPAN = {
  traceId: TRACE_ID,
  spanId: SPAN_ID,
  name: 'encode',
  startTimeUnixNano: '1700000000123456789',
  endTimeUnixNano: '1700000000223456000',
};

function request(spans: readonly unknown[], more: object = {}) {
  const attributes = [{ key: 'service.name', value: { stringValue: 'halfsight-camera' } }];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }], ...more }] };
}

const one = (changes: object) => parseExport(request([{ ...SPAN, ...changes }])).spans[0];

describe('an export request', () => {
  it('becomes spans', () => {
    const span = one({
      parentSpanId: SPAN_ID.toUpperCase(),
      kind: 4,
      attributes: [
        { key: 'text', value: { stringValue: 'a' } },
        { key: 'whole', value: { intValue: '12' } },
        { key: 'number', value: { doubleValue: 1.5 } },
        { key: 'yes', value: { boolValue: true } },
        { key: 'list', value: { arrayValue: { values: [] } } },
      ],
      links: [{ traceId: TRACE_ID, spanId: SPAN_ID }, { traceId: 'none' }],
      status: { code: 2 },
      events: [{ attributes: [{ key: 'exception.message', value: { stringValue: 'no' } }] }],
      isNewerThanUs: {},
    });
    expect(span).toEqual({
      ...{ traceId: TRACE_ID, spanId: SPAN_ID, parentSpanId: SPAN_ID, name: 'encode' },
      ...{ service: 'halfsight-camera', kind: 'producer' },
      ...{ startUs: 1_700_000_000_123_456, endUs: 1_700_000_000_223_456 },
      attributes: { text: 'a', whole: 12, number: 1.5, yes: true },
      links: [{ traceId: TRACE_ID, spanId: SPAN_ID }],
      error: 'no',
    });
  });

  it('leaves out what is not said', () => {
    const span = parseExport(request([SPAN], { resource: undefined })).spans[0];
    expect(span).toMatchObject({ parentSpanId: null, service: '', kind: 'unspecified' });
    expect(span).toMatchObject({ attributes: {}, links: [], error: null });
    expect(one({ parentSpanId: '' })?.parentSpanId).toBeNull();
    expect(one({ endTimeUnixNano: '1600000000000000000' })?.endUs).toBe(1_700_000_000_123_456);
  });

  it('tells errors that say nothing', () => {
    expect(one({ status: { code: 2 } })?.error).toBe('failed');
    expect(one({ status: { code: 'STATUS_CODE_ERROR', message: 'x' } })?.error).toBe('x');
    expect(one({ status: { code: 1 } })?.error).toBeNull();
  });

  it.each([
    ['no trace id', { traceId: undefined }],
    ['a short trace id', { traceId: 'abc' }],
    ['a trace id of zeros', { traceId: '0'.repeat(32) }],
    ['a span id of other signs', { spanId: 'x'.repeat(16) }],
    ['no name', { name: 7 }],
    ['no beginning', { startTimeUnixNano: undefined }],
    ['a time that is none', { endTimeUnixNano: '-1' }],
  ])('rejects a span with %s, and no other', (_, changes) => {
    const { spans, rejected } = parseExport(request([{ ...SPAN, ...changes }, SPAN]));
    expect([spans.length, rejected]).toEqual([1, 1]);
  });

  it('is bounded in every direction', () => {
    const long = 'x'.repeat(10_000);
    const many = Array.from({ length: 1_000 }, (_, index) => index);
    const span = one({
      name: long,
      attributes: many.map((index) => ({ key: `k${index}`, value: { stringValue: long } })),
      links: many.map(() => ({ traceId: TRACE_ID, spanId: SPAN_ID })),
    });
    expect(span?.name).toHaveLength(LIMITS.otlpTextLengthMax);
    expect(Object.keys(span?.attributes ?? {})).toHaveLength(LIMITS.otlpAttributesMax);
    expect(span?.attributes.k0).toHaveLength(LIMITS.otlpTextLengthMax);
    expect(span?.links).toHaveLength(LIMITS.otlpAttributesMax);
    const flood = request(Array.from({ length: LIMITS.otlpSpansMax + 3 }, () => SPAN));
    expect(parseExport(flood).rejected).toBe(3);
  });

  it('may be anything at all', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void parseExport(value)));
    const pieces = fc.oneof(fc.jsonValue(), fc.constant(SPAN), fc.constant(request([SPAN])));
    fc.assert(
      fc.property(fc.array(pieces), pieces, (spans, resource) => {
        const parsed = parseExport(request(spans, { resource }));
        expect(parsed.spans.length + parsed.rejected).toBe(spans.length);
      }),
    );
  });
});
