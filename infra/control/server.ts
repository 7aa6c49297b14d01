import type { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import type { TSchema } from '@sinclair/typebox';
import fastify, {
  type FastifyHttpOptions,
  type FastifyReply,
  type RawServerDefault,
} from 'fastify';
import type { AccessToken } from '#runtime/access-tokens.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { freshSeed } from '#runtime/random.ts';
import type { Tracer } from '#runtime/trace.ts';
import { type App, MERGE_PATCH, PROBLEM_JSON } from './app.ts';
import { auditTo } from './audit.ts';
import { type CameraDesk, cameraRoutes } from './cameras.ts';
import { deadLetterRoutes, type LetterDesk } from './dead-letters.ts';
import { fleetRoutes } from './fleet.ts';
import { guard } from './guard.ts';
import { headRoutes } from './heads.ts';
import { healthRoutes } from './health.ts';
import { jobRoutes } from './jobs.ts';
import { KnownRoutes } from './known-routes.ts';
import { observe } from './observe.ts';
import { describeRoutes, openapiRoute } from './openapi.ts';
import { Problem, problemBody } from './problem.ts';
import { SharedRead } from './shared-read.ts';
import type { Telemetry } from './telemetry.ts';
import { validatorOf } from './validate.ts';

export interface ControlOptions extends Omit<CameraDesk & LetterDesk, 'audit' | 'listFleet'> {
  readonly readHeads: Parameters<typeof headRoutes>[1];
  /** Undefined: nobody is asked for a token. */
  readonly clients: readonly AccessToken[] | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Has a line of each change, whatever the level of the other logger is. */
  readonly auditLogger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
  readonly stopping: AbortSignal;
}

/** The whole API, not listening yet. */
export async function buildServer(options: ControlOptions): Promise<App> {
  const { registry, clients, clock, stopping, telemetry, readHeads } = options;
  const app: App = fastify(serverOptions(telemetry));
  app.server.maxConnections = LIMITS.controlConnectionsMax;
  acceptOnlyJson(app);
  app.setValidatorCompiler(({ schema, httpPart = '' }) => {
    // Of headers only those are looked at that have a meaning here, where they have it.
    if (httpPart === 'headers') return (value) => ({ value });
    const validate = validatorOf(schema as unknown as TSchema, httpPart as 'params');
    return (data) => readOrRefuse(validate, data);
  });
  app.setSerializerCompiler(() => JSON.stringify);
  await describeRoutes(app);
  await app.register(rateLimit, {
    global: false,
    max: LIMITS.controlRequestsMax,
    timeWindow: LIMITS.controlRateWindowMs,
  });
  observe(app, options);
  guard(app, clients);
  const routes = new KnownRoutes(app);
  app.setNotFoundHandler(async (request) => {
    throw routes.problemOf(request.url, request.method);
  });
  const fleet = new SharedRead(() => registry.list());
  const heads = new SharedRead(readHeads);
  const listFleet = () => fleet.ask();
  const desk = { ...options, listFleet, audit: auditTo(options.auditLogger, telemetry) };
  healthRoutes(app, { check: () => registry.get('ready'), stopping, clock });
  openapiRoute(app);
  cameraRoutes(app, desk);
  fleetRoutes(app, listFleet);
  jobRoutes(app, desk);
  deadLetterRoutes(app, desk);
  headRoutes(app, () => heads.ask());
  return app;
}

function serverOptions(telemetry: Telemetry): FastifyHttpOptions<RawServerDefault> {
  const run = freshSeed().toString(36);
  let requests = 0;
  return {
    bodyLimit: LIMITS.controlBodyBytesMax,
    requestTimeout: LIMITS.controlRequestTimeoutMs,
    http: {
      connectionsCheckingInterval: LIMITS.controlRequestCheckMs,
      // Where it is the longer one, Node exchanges the two.
      headersTimeout: LIMITS.controlRequestTimeoutMs,
    },
    // Longer ones are refused by their schemas, which say more.
    routerOptions: { maxParamLength: LIMITS.controlBodyBytesMax },
    keepAliveTimeout: LIMITS.controlKeepAliveMs,
    forceCloseConnections: 'idle',
    // Connections that are open still get the answers to what they have sent.
    return503OnClosing: false,
    genReqId: () => `${run}-${++requests}`,
    // An address that cannot be decoded, which reaches no route and no hook.
    frameworkErrors: (_, { id }, reply) => {
      const problem = new Problem('request-unreadable', 'the address cannot be decoded.', {
        advice: 'Write "%" as %25.',
      });
      telemetry.count(`problem-${problem.code}`);
      const answer = reply as FastifyReply;
      answer.code(problem.status).type(PROBLEM_JSON).send(problemBody(problem, id));
    },
    clientErrorHandler: ({ code }, socket) => {
      const isSlow = code === 'ERR_HTTP_REQUEST_TIMEOUT';
      const problem = isSlow
        ? new Problem('request-too-slow', 'the request did not come whole in time.')
        : new Problem('request-unreadable', 'this is no HTTP request that can be read.');
      telemetry.count(`problem-${problem.code}`);
      answerUnreadable(problem, socket);
    },
  };
}

/** There is no reply yet to send it with. */
function answerUnreadable(problem: Problem, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = problemBody(problem, 'none');
  const json = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${body.status} ${body.title}\r\n` +
      `content-type: ${PROBLEM_JSON}\r\nconnection: close\r\n` +
      `content-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
}

function acceptOnlyJson(app: App): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser(MERGE_PATCH, { parseAs: 'string' }, parse);
}

function readOrRefuse(validate: (value: unknown) => unknown, data: unknown) {
  try {
    return { value: validate(data) };
  } catch (error) {
    return { error: error as Error };
  }
}
