import http from 'node:http';
import https from 'node:https';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

/** How to reach a schema registry; read from the environment by `runtime/settings.ts`. */
export interface SchemaRegistrySettings {
  /** With its user and password, if it wants any: not to be shown. */
  readonly url: string;
  /** Sent as bearer authentication. */
  readonly token?: string | undefined;
  /** PEM, for https: whom to trust. Undefined: whom Node trusts. */
  readonly tlsCa?: string | undefined;
}

const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json';

/** Requests to one registry, one answer each. */
export class RegistryLine {
  /** Without credentials, so that it can be shown. */
  readonly #url: string;
  readonly #authorization: string | undefined;
  readonly #tlsCa: string | undefined;

  constructor({ url: text, token, tlsCa }: SchemaRegistrySettings) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      throw new HalfsightError('settings-invalid', 'the schema registry URL is no http(s) URL.', {
        advice: 'Set SCHEMA_REGISTRY_URL to something like http://localhost:8081.',
      });
    }
    this.#url = `${url.origin}${url.pathname.replace(/\/$/, '')}`;
    this.#authorization = token === undefined ? basic(url) : `Bearer ${token}`;
    this.#tlsCa = tlsCa;
  }

  /** Rejects with `schema-registry-unavailable`. */
  async call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<RegistryAnswer> {
    const where = `${this.#url}${path}`;
    try {
      const { status, text } = await this.#exchange(method, where, body && JSON.stringify(body));
      return new RegistryAnswer(where, status, text);
    } catch (error) {
      throw unavailable(
        where,
        `${(error as Error).message || (error as { code?: string }).code}.`,
        { advice: 'Is it running? SCHEMA_REGISTRY_URL says where it is.', cause: error },
      );
    }
  }

  async #exchange(method: string, where: string, body: string | undefined) {
    const request = (where.startsWith('https:') ? https : http).request(where, {
      method,
      // Asked rarely: one that was kept would be of a registry from before its restart.
      agent: false,
      headers: {
        accept: `${MEDIA_TYPE}, application/json`,
        ...(body === undefined ? {} : { 'content-type': MEDIA_TYPE }),
        ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
      },
      ...(this.#tlsCa === undefined ? {} : { ca: this.#tlsCa }),
      signal: AbortSignal.timeout(LIMITS.schemaRegistryTimeoutMs),
    });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end(body);
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > LIMITS.schemaRegistryAnswerBytesMax) throw new Error('its answer has no end');
    }
    return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') };
  }
}

/** What a registry answered to one request. */
export class RegistryAnswer {
  readonly status: number;
  readonly text: string;
  readonly #where: string;

  constructor(where: string, status: number, text: string) {
    this.#where = where;
    this.status = status;
    this.text = text;
  }

  /**
   * The registry itself says so: its codes for a missing subject, schema or rule begin with 404. A
   * proxy before a registry that is away may answer 404 too.
   */
  get isNotThere(): boolean {
    const answer = parsed(this.text) as { readonly error_code?: unknown } | null | undefined;
    return this.status === 404 && /^404\d\d$/.test(String(answer?.error_code));
  }

  /** Of an answer that grants what was asked for. */
  json(): Readonly<Record<string, unknown>> {
    if (this.status !== 200) {
      const isForbidden = this.status === 401 || this.status === 403;
      throw this.unusable(`it answered ${this.status}: ${this.text.slice(0, 200)}`, {
        ...(isForbidden
          ? { advice: 'Look at SCHEMA_REGISTRY_PASSWORD(_FILE) or _TOKEN(_FILE).' }
          : {}),
      });
    }
    const answer = parsed(this.text);
    if (typeof answer !== 'object' || answer === null) {
      throw this.unusable('its answer is no JSON object.');
    }
    return answer as Record<string, unknown>;
  }

  unusable(reason: string, options: { advice?: string } = {}): HalfsightError {
    return unavailable(this.#where, reason, options);
  }
}

function basic(url: URL): string | undefined {
  if (url.username === '') return undefined;
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(credentials, 'utf8').toString('base64')}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(
  where: string,
  reason: string,
  options: { advice?: string; cause?: unknown },
): HalfsightError {
  const message = `schema registry ${where}: ${reason}`;
  return new HalfsightError('schema-registry-unavailable', message, options);
}
