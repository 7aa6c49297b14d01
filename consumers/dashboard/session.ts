import { createHmac, timingSafeEqual } from 'node:crypto';
import type { AccessToken } from '#runtime/access-tokens.ts';
import { LIMITS } from '#runtime/limits.ts';

const COOKIE = 'halfsight-wall';

/**
 * Sessions of browsers, which cannot send a token with each request and should not keep one: a
 * cookie says until when it is good, and is signed with the token that was given for it. Nothing is
 * kept here, so sessions outlive this server, and end with their token.
 */
export class Sessions {
  readonly #tokens: readonly AccessToken[];

  constructor(tokens: readonly AccessToken[]) {
    this.#tokens = tokens;
  }

  /** The `Set-Cookie` header for whoever bears the token. Scripts of the page cannot read it. */
  begin(token: AccessToken, nowMs: number): string {
    const untilMs = Math.floor(nowMs + LIMITS.wallSessionMs);
    const seconds = LIMITS.wallSessionMs / 1000;
    return `${COOKIE}=${untilMs}.${signed(token, untilMs)}; Max-Age=${seconds}; ${ATTRIBUTES}`;
  }

  /** The `Set-Cookie` header that ends the session of a browser. */
  end(): string {
    return `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;
  }

  /** Whether a `Cookie` header has one of ours that is good now. */
  has(header: string | undefined, nowMs: number): boolean {
    const [, until = '', mac = ''] =
      new RegExp(`(?:^|; *)${COOKIE}=(\\d{1,16})\\.([0-9a-f]{64})(?:;|$)`).exec(header ?? '') ?? [];
    const untilMs = Number(until);
    if (untilMs <= nowMs) return false;
    const given = Buffer.from(mac, 'hex');
    return this.#tokens.some((token) =>
      timingSafeEqual(given, Buffer.from(signed(token, untilMs), 'hex')),
    );
  }
}

const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';

function signed({ digest }: AccessToken, untilMs: number): string {
  return createHmac('sha256', digest).update(`wall-session ${untilMs}`).digest('hex');
}
