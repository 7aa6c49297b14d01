import type { FastifyInstance } from 'fastify';
import { type AccessToken, tokenOf } from '#runtime/access-tokens.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { SESSION_ROUTE } from './guard.ts';
import type { SessionAnswer } from './protocol.ts';
import { Refusal } from './refusal.ts';
import type { Sessions } from './session.ts';

export interface SessionRoutesOptions {
  readonly tokens: readonly AccessToken[] | undefined;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

/** Where a person gives the token, once: a browser keeps a cookie for it. */
export function sessionRoutes(app: FastifyInstance, options: SessionRoutesOptions): void {
  const { tokens, sessions, clock } = options;
  const limit = app.createRateLimit({
    max: LIMITS.wallSignInsMax,
    timeWindow: LIMITS.wallSignInWindowMs,
  });
  app.get(SESSION_ROUTE, async ({ headers }): Promise<SessionAnswer> => {
    const signedIn = sessions.has(headers.cookie, clock.nowUs() / 1000);
    return { tokenNeeded: tokens !== undefined, signedIn };
  });
  app.post(SESSION_ROUTE, async (request, reply) => {
    const used = await limit(request);
    if (!used.isAllowed && used.isExceeded) {
      reply.header('retry-after', used.ttlInSeconds);
      throw new Refusal('rate-exceeded', 'too many tokens were tried.', 'Wait for a minute.');
    }
    const { token } = (request.body ?? {}) as { readonly token?: unknown };
    if (typeof token !== 'string') {
      throw new Refusal('request-invalid', 'the body holds no token.', 'Send {"token":"..."}.');
    }
    const known = tokenOf(tokens ?? [], token);
    if (known === undefined) {
      const advice = 'HALFSIGHT_WALL_TOKEN_FILE of the wall names the file with those it knows.';
      throw new Refusal('token-wrong', 'nobody here has this token.', advice);
    }
    return reply
      .code(204)
      .header('set-cookie', sessions.begin(known, clock.nowUs() / 1000))
      .send();
  });
  app.delete(SESSION_ROUTE, async (_, reply) => {
    return reply.code(204).header('set-cookie', sessions.end()).send();
  });
}
