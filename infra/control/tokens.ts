import { createHash, timingSafeEqual } from 'node:crypto';
import { HalfsightError } from '#runtime/errors.ts';
import { Problem } from './problem.ts';

/** Who may use the API, by the digests of their tokens. */
export interface Client {
  /** For the audit log. */
  readonly name: string;
  readonly digest: Buffer;
}

/** As RFC 6750 has bearer tokens. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const NAME = /^[A-Za-z0-9._@-]{1,64}$/;
/** Of base64; what people make up by themselves is shorter. */
const TOKEN_LENGTH_MIN = 22;
export const HOW_TO_MAKE_ONE =
  'Make one with: openssl rand -hex 32 > FILE; chmod 600 FILE; ' +
  'and set HALFSIGHT_CONTROL_TOKEN_FILE=FILE.';

/**
 * The clients of a text with a token, or NAME:TOKEN, a line; blank lines and those that begin with
 * "#" are passed over. Throws `settings-invalid`, which names lines and never a token.
 */
export function readClients(text: string): readonly Client[] {
  const clients = text.split(/\r?\n/).flatMap((line, index) => {
    const written = line.trim();
    if (written === '' || written.startsWith('#')) return [];
    return [readClient(written, index + 1)];
  });
  if (clients.length === 0) throw wrong('there is no token in it.');
  const digests = new Set(clients.map(({ digest }) => digest.toString('hex')));
  if (digests.size < clients.length) throw wrong('two lines hold the same token.');
  return clients;
}

function readClient(written: string, line: number): Client {
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

function wrong(message: string): HalfsightError {
  return new HalfsightError('settings-invalid', `HALFSIGHT_CONTROL_TOKEN(_FILE): ${message}`, {
    advice: HOW_TO_MAKE_ONE,
  });
}

/** Whose token it is. Throws a `Problem`; how long it takes says nothing about any token. */
export function nameOfClient(clients: readonly Client[], authorization: string | undefined) {
  const headers = { 'www-authenticate': 'Bearer realm="halfsight"' };
  const [, token] = /^Bearer +([^ ]+) *$/i.exec(authorization ?? '') ?? [];
  if (token === undefined) {
    throw new Problem('token-missing', 'the request bears no token.', {
      ...{ headers, advice: 'Send the header "Authorization: Bearer TOKEN".' },
    });
  }
  const digest = digestOf(token);
  const [client] = clients.filter((known) => timingSafeEqual(known.digest, digest));
  if (client !== undefined) return client.name;
  throw new Problem('token-wrong', 'nobody here has this token.', {
    headers: { 'www-authenticate': 'Bearer realm="halfsight", error="invalid_token"' },
    advice: 'HALFSIGHT_CONTROL_TOKEN_FILE of the API names the file with those that it knows.',
  });
}

/** Of one length, so that a comparison of digests can take constant time. */
function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
