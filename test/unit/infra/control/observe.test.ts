import { expect, it } from 'vitest';
import type { Span, SpanOptions } from '#runtime/trace.ts';
import { withOffice } from './control-office.ts';

it('each request is a span in the trace of its client, and is counted', () => {
  const spans: { name: string; options: SpanOptions; facts: Record<string, unknown> }[] = [];
  const start = (name: string, options: SpanOptions = {}): Span => {
    const facts: Record<string, unknown> = {};
    spans.push({ name, options, facts });
    return {
      sampled: true,
      traceparent: () => undefined,
      set: (key, value) => {
        facts[key] = value;
      },
      fail: () => {
        facts.failed = true;
      },
      end: () => {
        facts.ended = true;
      },
    };
  };
  return withOffice(
    async (office) => {
      const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331';
      await office.ask('GET', '/v1/cameras/gate', undefined, { traceparent: `${trace}-01` });
      await office.ask('GET', '/v1/agents', undefined, { traceparent: `${trace}-00` });
      office.server.state = 'down';
      await office.ask('GET', '/v1/agents', undefined, { traceparent: 'nonsense' });
      expect(spans).toMatchObject([
        { name: 'GET /v1/cameras/:id', options: { kind: 'server', parent: `${trace}-01` } },
        { name: 'GET /v1/agents', options: { parent: undefined } },
        { name: 'GET /v1/agents', facts: { failed: true } },
      ]);
      expect(spans.map(({ facts }) => facts['http.response.status_code'])).toEqual([404, 200, 503]);
      expect(spans.every(({ facts }) => facts.ended)).toBe(true);
      expect(office.telemetry.snapshot()).toMatchObject({
        ...{ 'requests-2xx': 1, 'requests-4xx': 1, 'requests-5xx': 1 },
        ...{ 'problem-camera-missing': 1, 'problem-registry-down': 1 },
      });
    },
    { tracer: { start } },
  );
});
