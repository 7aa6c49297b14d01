import { isIP } from 'node:net';
import type {} from '@fastify/rate-limit';
import type {} from '@fastify/swagger';
import type { FastifyRequest } from 'fastify';
import type { AccessToken } from '#runtime/access-tokens.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type App, MERGE_PATCH } from './app.ts';
import { Problem } from './problem.ts';
import { nameOfClient } from './tokens.ts';

/** The name of a client that needs no token. */
const LOCAL = 'local';

/**
 * What a request must be before it is read: not one of too many, of a client that we know, and of a
 * media type that its route takes. A route whose schema has an empty `security` is for everybody.
 */
export function guard(app: App, clients: readonly AccessToken[] | undefined): void {
  const limit = app.createRateLimit();
  app.decorateRequest('caller', '');
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.schema?.security?.length === 0) return;
    const used = await limit(request);
    if (!used.isAllowed && used.isExceeded) throw tooMany(used.ttlInSeconds);
    if (clients === undefined) refuseBrowsers(request);
    request.caller =
      clients === undefined ? LOCAL : nameOfClient(clients, request.headers.authorization);
    refuseMediaType(request);
  });
}

function tooMany(seconds: number): Problem {
  const { controlRequestsMax: most, controlRateWindowMs: windowMs } = LIMITS;
  return new Problem('rate-exceeded', `more than ${most} requests in ${windowMs / 1000} s.`, {
    advice: 'Go on after Retry-After.',
    headers: { 'retry-after': String(Math.max(1, seconds)) },
  });
}

/**
 * Without tokens whoever is on this machine may do everything, and so might the pages that they
 * open: by a form, or by a name of their own that they make stand for this address.
 */
function refuseBrowsers({ headers }: FastifyRequest): void {
  const { hostname } = URL.parse(`http://${headers.host}`) ?? { hostname: '' };
  const bare = hostname.replace(/^\[|\]$/g, '');
  if (headers.origin === undefined && (bare === 'localhost' || isIP(bare) !== 0)) return;
  throw new Problem('origin-refused', 'without a token the API is not for pages in a browser.', {
    advice: 'Ask http://127.0.0.1 from a program, or set HALFSIGHT_CONTROL_TOKEN_FILE.',
  });
}

function refuseMediaType({ headers, routeOptions }: FastifyRequest): void {
  const { schema } = routeOptions;
  const length = headers['content-length'] ?? '0';
  if (length === '0' && headers['transfer-encoding'] === undefined) return;
  if (schema === undefined) return;
  if (schema.body === undefined) {
    throw new Problem('media-type-refused', 'this route takes no body.', {
      advice: 'Send the request without one.',
    });
  }
  const [wanted = 'application/json'] = schema.consumes ?? [];
  const [sent = ''] = (headers['content-type'] ?? '').split(';');
  if (sent.trim().toLowerCase() === wanted) return;
  throw new Problem('media-type-refused', `the body is ${sent || 'of no type'}.`, {
    advice: `Send it with Content-Type: ${wanted}.`,
    headers: wanted === MERGE_PATCH ? { 'accept-patch': MERGE_PATCH } : { accept: wanted },
  });
}
