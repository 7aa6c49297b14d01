import rateLimit from '@fastify/rate-limit';
import fastify, { type FastifyInstance } from 'fastify';
import type { AccessToken } from '#runtime/access-tokens.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { listenAt } from '#runtime/listen.ts';
import type { Logger } from '#runtime/log.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import { type CameraRoutesOptions, cameraRoutes } from './camera-routes.ts';
import { type FleetRoutesOptions, fleetRoutes } from './fleet-routes.ts';
import { guard } from './guard.ts';
import { type LiveRouteOptions, liveRoute } from './live-route.ts';
import { pageRoutes } from './page-routes.ts';
import { Refusal, refusalOf } from './refusal.ts';
import { Sessions } from './session.ts';
import { sessionRoutes } from './session-routes.ts';
import { type SpansRouteOptions, spansRoute } from './spans-route.ts';

export interface ServerOptions
  extends CameraRoutesOptions,
    FleetRoutesOptions,
    LiveRouteOptions,
    SpansRouteOptions {
  /** Undefined: nobody is asked for a token. */
  readonly tokens: readonly AccessToken[] | undefined;
  /** Of the page, as it was built. */
  readonly pageFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The wall's server, not listening yet. */
export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { tokens, clock, telemetry } = options;
  const app: FastifyInstance = fastify({
    bodyLimit: LIMITS.wallBodyBytesMax,
    requestTimeout: LIMITS.wallRequestTimeoutMs,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 4 * LIMITS.cameraIdLengthMax },
  });
  app.server.maxConnections = LIMITS.wallConnectionsMax;
  app.removeContentTypeParser('text/plain');
  app.setErrorHandler(async (error, request, reply) => {
    const refusal = refusalOf(error) ?? mistakeOfOurs(error, request.url, options.logger);
    return reply.code(refusal.status).send(refusal.body);
  });
  app.addHook('onResponse', async (_, reply) => {
    const digit = Math.floor(reply.statusCode / 100) as 1 | 2 | 3 | 4 | 5;
    telemetry.count(`requests-${digit}xx`);
  });
  const sessions = new Sessions(tokens ?? []);
  await app.register(rateLimit, { global: false });
  // Before the guard: it closes the connections of upgrades that are refused.
  await liveRoute(app, options);
  guard(app, { tokens, sessions, clock });
  sessionRoutes(app, { tokens, sessions, clock });
  cameraRoutes(app, options);
  fleetRoutes(app, options);
  spansRoute(app, options);
  await pageRoutes(app, options.pageFolder);
  return app;
}

/** Whoever asked learns that there was one, and the log everything. */
function mistakeOfOurs(error: unknown, url: string, logger: Logger): Refusal {
  const stack = error instanceof Error ? error.stack : undefined;
  logger.error('request-failed', { url, error: describeError(error), stack });
  return new Refusal('internal-error', 'the wall made a mistake.', 'Its log says more.');
}

/** Resolves to the address for browsers. Throws `settings-invalid`. */
export function listen(app: FastifyInstance, address: ListenAddress): Promise<string> {
  return listenAt(address, 'HALFSIGHT_WALL_LISTEN', (at) =>
    app.listen({ ...at, listenTextResolver: (text) => text }),
  );
}
