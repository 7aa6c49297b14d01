import { createHmac } from 'node:crypto';

/**
 * The signature of Standard Webhooks (https://www.standardwebhooks.com, symmetric, v1):
 *
 *   secret      whsec_ + base64 of 24 to 64 random bytes
 *   signed      ID.TIMESTAMP.BODY
 *   signature   v1, + base64 of HMAC-SHA256(secret's bytes, signed); several stand side by side,
 *               with spaces between them, while a secret is being changed
 */

const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const SECRET_BYTES_MIN = 24;
const SECRET_BYTES_MAX = 64;

/** The key of a secret; undefined for a text that is none. */
export function keyOf(secret: string): Uint8Array | undefined {
  const [, base64] = SECRET.exec(secret) ?? [];
  if (base64 === undefined) return undefined;
  const key = Buffer.from(base64, 'base64');
  const isWhole = key.toString('base64') === base64.padEnd(Math.ceil(base64.length / 4) * 4, '=');
  const fits = key.length >= SECRET_BYTES_MIN && key.length <= SECRET_BYTES_MAX;
  return isWhole && fits ? key : undefined;
}

export interface Signed {
  /** The receiver's idempotency key. */
  readonly id: string;
  /** When this attempt is made, seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly body: string;
}

/** The three headers that the receiver checks. */
export function signedHeaders(
  { id, timestamp, body }: Signed,
  keys: readonly Uint8Array[],
): Record<string, string> {
  const signatures = keys.map((key) => {
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
