import { createHash, timingSafeEqual } from 'node:crypto';
import { HalfsightError } from './errors.ts';

/** Who may use a server, by the digest of a token. */
export interface AccessToken {
  /** Of whoever bears it. */
  readonly name: string;
  /** SHA-256. */
  readonly digest: Buffer;
}

/** As RFC 6750 has bearer tokens. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const NAME = /^[A-Za-z0-9._@-]{1,64}$/;
/** Of base64; what people make up by themselves is shorter. */
const TOKEN_LENGTH_MIN = 22;

/** `variable`: the one that holds tokens; with `_FILE` behind it, the one that names their file. */
export function howToMakeToken(variable: string): string {
  return (
    'Make one with: openssl rand -hex 32 > FILE; chmod 600 FILE; ' +
    `and set ${variable}_FILE=FILE.`
  );
}

/**
 * The tokens of a text with a token, or NAME:TOKEN, a line; blank lines and those that begin with
 * "#" are passed over. Throws `settings-invalid`, which names lines and never a token.
 */
export function readTokens(text: string, variable: string): readonly AccessToken[] {
  const wrong = (message: string) =>
    new HalfsightError('settings-invalid', `${variable}(_FILE): ${message}`, {
      advice: howToMakeToken(variable),
    });
  const tokens = text.split(/\r?\n/).flatMap((line, index) => {
    const written = line.trim();
    if (written === '' || written.startsWith('#')) return [];
    return [readToken(written, index + 1, wrong)];
  });
  if (tokens.length === 0) throw wrong('there is no token in it.');
  const digests = new Set(tokens.map(({ digest }) => digest.toString('hex')));
  if (digests.size < tokens.length) throw wrong('two lines hold the same token.');
  return tokens;
}

function readToken(
  written: string,
  line: number,
  wrong: (message: string) => HalfsightError,
): AccessToken {
  const colon = written.indexOf(':');
  const name = colon < 0 ? `token-${line}` : written.slice(0, colon);
  const token = written.slice(colon + 1);
  if (!NAME.test(name)) throw wrong(`the name in line ${line} is none.`);
  if (!TOKEN.test(token)) throw wrong(`line ${line} holds no token: letters, digits and -._~+/=.`);
  if (token.length < TOKEN_LENGTH_MIN) {
    throw wrong(`the token in line ${line} is shorter than ${TOKEN_LENGTH_MIN} characters.`);
  }
  return { name, digest: digestOf(token) };
}

/** Which of them this is; how long the answer takes says nothing about any token. */
export function tokenOf(tokens: readonly AccessToken[], token: string): AccessToken | undefined {
  const digest = digestOf(token);
  const [found] = tokens.filter((known) => timingSafeEqual(known.digest, digest));
  return found;
}

/** The token in an `Authorization` header: RFC 6750, 2.1. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
}

/** Of one length, so that a comparison of digests can take constant time. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
