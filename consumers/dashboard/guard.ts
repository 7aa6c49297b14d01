import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type AccessToken, bearerOf, tokenOf } from '#runtime/access-tokens.ts';
import type { Clock } from '#runtime/clock.ts';
import { isLoopback } from '#runtime/loopback.ts';
import { Refusal } from './refusal.ts';
import type { Sessions } from './session.ts';

export interface GuardOptions {
  /** Undefined: nobody is asked for a token, and only this machine is served. */
  readonly tokens: readonly AccessToken[] | undefined;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

/**
 * What a page may do, told to the browser: nothing of anybody else's is loaded, nothing is sent
 * elsewhere, and nobody shows the wall in a frame of their own.
 */
const HEADERS = {
  'content-security-policy': [
    ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"],
    ...["connect-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"],
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const;

/** Where a token is given, so that none is needed to get there. */
export const SESSION_ROUTE = '/api/session';
/** OTLP/HTTP's own. */
export const SPANS_ROUTE = '/v1/traces';

/**
 * What is asked of every request, an upgrade to a WebSocket among them, before it is read. The page
 * itself is for everybody: it holds nothing of cameras.
 */
export function guard(app: FastifyInstance, options: GuardOptions): void {
  const { tokens } = options;
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    // As it was understood: "/%61pi" is "/api" as well.
    const route = request.routeOptions.url ?? '';
    if (route.startsWith('/api/')) reply.header('cache-control', 'no-store');
    refuseStrangers(request, tokens === undefined);
    const isOpen = route === SESSION_ROUTE || (route === SPANS_ROUTE && isExporterHere(request));
    if (tokens === undefined || isOpen || !/^\/(api|v1)\//.test(route)) return;
    refuseWithoutToken(request, tokens, options);
  });
}

/**
 * Another site's page must not speak to the wall with a visitor's cookie, or past the lack of a
 * token, be it by a name of its own that it makes stand for this address (DNS rebinding).
 */
function refuseStrangers({ headers }: FastifyRequest, isOpen: boolean): void {
  const { origin, host = '' } = headers;
  const { hostname } = URL.parse(`http://${host}`) ?? { hostname: '' };
  const bare = hostname.replace(/^\[|\]$/g, '');
  const isNamed = bare !== 'localhost' && isIP(bare) === 0;
  const isForeign = origin !== undefined && URL.parse(origin)?.host !== host;
  if (isForeign || (isOpen && isNamed)) {
    const advice = isForeign
      ? 'Open the wall itself; a proxy in front of it has to pass on the Host header as it is.'
      : 'Open it by its address or as localhost, or set HALFSIGHT_WALL_TOKEN_FILE.';
    throw new Refusal('origin-refused', 'this is not asked by a page of the wall.', advice);
  }
}

function refuseWithoutToken(
  { headers }: FastifyRequest,
  tokens: readonly AccessToken[],
  { sessions, clock }: GuardOptions,
): void {
  const bearer = bearerOf(headers.authorization);
  if (bearer === undefined && sessions.has(headers.cookie, clock.nowUs() / 1000)) return;
  if (bearer !== undefined && tokenOf(tokens, bearer) !== undefined) return;
  if (bearer === undefined) {
    const advice = 'Sign in on the page, or send the header "Authorization: Bearer TOKEN".';
    throw new Refusal('token-missing', 'the wall wants a token.', advice);
  }
  const advice = 'HALFSIGHT_WALL_TOKEN_FILE of the wall names the file with those that it knows.';
  throw new Refusal('token-wrong', 'nobody here has this token.', advice);
}

/** Not through a proxy on this machine, which speaks for others. */
function isExporterHere({ socket, headers }: FastifyRequest): boolean {
  const isForwarded = headers.forwarded ?? headers['x-forwarded-for'];
  return isForwarded === undefined && isLoopback(plainAddress(socket.remoteAddress ?? ''));
}

/** Of a server on `::`, IPv4 addresses are written as IPv6 ones. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
