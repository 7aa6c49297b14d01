import type { FastifyRequest } from 'fastify';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import type { Logger } from '#runtime/log.ts';
import { type Span, TRACEPARENT_HEADER, type Tracer, traceparentOf } from '#runtime/trace.ts';
import { type App, PROBLEM_JSON } from './app.ts';
import { Problem, problemBody, problemOf } from './problem.ts';
import type { CounterName, Telemetry } from './telemetry.ts';

export interface ObserveOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
}

interface Visit {
  readonly span: Span;
  readonly startMs: number;
}

/** Each request is a span, in the client's trace if it is sampled there, and is counted. */
export function observe(app: App, options: ObserveOptions): void {
  const { clock, logger, tracer, telemetry, stopping } = options;
  const visits = new WeakMap<FastifyRequest, Visit>();
  app.addHook('onRequest', async (request, reply) => {
    const route = `${request.method} ${request.routeOptions.url ?? 'unknown'}`;
    const span = tracer.start(route, {
      kind: 'server',
      parent: parentOf(request),
      root: true,
      attributes: { 'http.request.method': request.method, 'halfsight.request_id': request.id },
    });
    visits.set(request, { span, startMs: clock.monotonicMs() });
    reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
  });
  app.addHook('onSend', async (_, reply) => {
    // Or we would wait for the connection, which is kept for more.
    if (stopping.aborted) reply.header('connection', 'close');
  });
  app.addHook('onResponse', async (request, reply) => {
    const visit = visits.get(request);
    const ms = clock.monotonicMs() - (visit?.startMs ?? clock.monotonicMs());
    telemetry.count(`requests-${Math.floor(reply.statusCode / 100)}xx` as CounterName);
    telemetry.observe('request-ms', ms, visit?.span.traceparent());
    visit?.span.set('http.response.status_code', reply.statusCode);
    visit?.span.end();
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemOf(error) ?? mistakeOfOurs(error, request, logger);
    telemetry.count(`problem-${problem.code}`);
    if (problem.status >= 500) visits.get(request)?.span.fail(error);
    reply.code(problem.status).headers(problem.headers).type(PROBLEM_JSON);
    return reply.send(problemBody(problem, request.id));
  });
}

function parentOf({ headers }: FastifyRequest): string | undefined {
  const written = headers[TRACEPARENT_HEADER];
  if (typeof written !== 'string') return undefined;
  return traceparentOf({ [TRACEPARENT_HEADER]: Buffer.from(written) });
}

/** The client learns its number, and the log everything. */
function mistakeOfOurs(error: unknown, request: FastifyRequest, logger: Logger): Problem {
  const stack = error instanceof Error ? error.stack : undefined;
  const { id, method, routeOptions } = request;
  const where = { requestId: id, method, route: routeOptions.url };
  logger.error('request-failed', { ...where, error: describeError(error), stack });
  return new Problem('internal-error', 'the API made a mistake.', {
    advice: `Its log says more: look for ${id}.`,
  });
}
