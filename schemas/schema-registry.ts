import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { AvroSchema } from './fingerprint.ts';

/**
 * The two calls that we need of a schema registry's REST interface, as Confluent defined it and
 * Karapace and Apicurio (its `ccompat` address) answer it.
 */
export interface SchemaRegistry {
  /** The id of a schema under a subject; registers it if it is new there. */
  register(subject: string, schema: AvroSchema): Promise<number>;
  /** Undefined if the registry has no such id, or no Avro schema under it. */
  schemaById(id: number): Promise<AvroSchema | undefined>;
}

/** `url` may hold a user and a password, which are sent as basic authentication. */
export function connectSchemaRegistry(url: string): SchemaRegistry {
  const base = parseUrl(url);
  return {
    async register(subject, schema) {
      const path = `/subjects/${encodeURIComponent(subject)}/versions`;
      const response = await call(base, path, JSON.stringify({ schema: JSON.stringify(schema) }));
      if (response.status === 409) {
        const message = `the schema registry refuses our schema for ${subject}: ${response.text}`;
        throw new HalfsightError('schema-incompatible', message, {
          advice: 'Use another topic prefix, or bring this process up to date.',
        });
      }
      const { id } = parseAnswer<{ id?: unknown }>(base, path, response);
      if (typeof id !== 'number') throw unavailable(base, path, 'its answer has no "id".');
      return id;
    },
    async schemaById(id) {
      const path = `/schemas/ids/${id}`;
      const response = await call(base, path);
      if (response.status === 404) return undefined;
      const answer = parseAnswer<{ schema?: unknown; schemaType?: unknown }>(base, path, response);
      if ((answer.schemaType ?? 'AVRO') !== 'AVRO') return undefined;
      if (typeof answer.schema !== 'string') {
        throw unavailable(base, path, 'its answer has no "schema".');
      }
      return parseJson(answer.schema) as AvroSchema | undefined;
    },
  };
}

interface Base {
  /** Without credentials, so that it can be shown. */
  readonly url: string;
  readonly authorization: string | undefined;
}

interface Response {
  readonly status: number;
  readonly text: string;
}

function parseUrl(text: string): Base {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new HalfsightError('settings-invalid', 'the schema registry URL is no http(s) URL.', {
      advice: 'Set SCHEMA_REGISTRY_URL to something like http://localhost:8081.',
    });
  }
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const encoded = Buffer.from(credentials, 'utf8').toString('base64');
  return {
    url: `${url.origin}${url.pathname.replace(/\/$/, '')}`,
    authorization: url.username === '' ? undefined : `Basic ${encoded}`,
  };
}

async function call(base: Base, path: string, body?: string): Promise<Response> {
  const mediaType = 'application/vnd.schemaregistry.v1+json';
  try {
    const response = await fetch(`${base.url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: `${mediaType}, application/json`,
        ...(body === undefined ? {} : { 'content-type': mediaType }),
        ...(base.authorization === undefined ? {} : { authorization: base.authorization }),
      },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(LIMITS.schemaRegistryTimeoutMs),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const cause = (error as Error).cause;
    const reason = cause instanceof Error ? cause.message : (error as Error).message;
    throw unavailable(base, path, `${reason}.`, error);
  }
}

function parseAnswer<T extends object>(base: Base, path: string, response: Response): T {
  if (response.status !== 200) {
    const text = response.text.slice(0, 200);
    throw unavailable(base, path, `it answered ${response.status}: ${text}`);
  }
  const answer = parseJson(response.text);
  if (typeof answer !== 'object' || answer === null) {
    throw unavailable(base, path, 'its answer is no JSON object.');
  }
  return answer as T;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(base: Base, path: string, reason: string, cause?: unknown): HalfsightError {
  const message = `schema registry ${base.url}${path}: ${reason}`;
  return new HalfsightError('schema-registry-unavailable', message, { cause });
}
