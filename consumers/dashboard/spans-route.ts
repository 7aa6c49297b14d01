import type { FastifyInstance } from 'fastify';
import { LIMITS } from '#runtime/limits.ts';
import { SPANS_ROUTE } from './guard.ts';
import type { Telemetry } from './telemetry.ts';
import type { TraceStore } from './traces/trace-store.ts';

export interface SpansRouteOptions {
  readonly traces: TraceStore;
  readonly telemetry: Telemetry;
}

/**
 * Takes what OpenTelemetry exporters send as OTLP/HTTP in JSON, and answers as they expect:
 * https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
 */
export function spansRoute(app: FastifyInstance, { traces, telemetry }: SpansRouteOptions): void {
  app.post(SPANS_ROUTE, { bodyLimit: LIMITS.wallSpansBytesMax }, async (request) => {
    telemetry.count('spans-requests');
    const { rejected } = traces.add(request.body);
    if (rejected === 0) return {};
    const errorMessage = `${rejected} spans cannot be read, or are too many for one request.`;
    return { partialSuccess: { rejectedSpans: String(rejected), errorMessage } };
  });
}
