import type { RedisOptions } from 'ioredis';
import { readTlsFile } from './tls-file.ts';

/** How to reach the Redis; read from the environment by `runtime/settings.ts`. */
export interface RedisSettings {
  /** `redis://` or, with TLS, `rediss://`; may hold a user, a password and `/database`. */
  readonly url: string;
  /** Undefined where `url` holds it, or none is wanted. */
  readonly password: string | undefined;
  readonly tlsCaFile: string | undefined;
}

const PORT = 6379;

/** The settings as ioredis (and BullMQ) take them. */
export function redisOptions({ url, password, tlsCaFile }: RedisSettings): RedisOptions {
  const parts = new URL(url);
  const secret = password ?? decodeURIComponent(parts.password);
  const isSecure = parts.protocol === 'rediss:';
  return {
    host: parts.hostname.replace(/^\[|\]$/g, ''),
    port: parts.port === '' ? PORT : Number(parts.port),
    db: Number(parts.pathname.slice(1)),
    ...(parts.username === '' ? {} : { username: decodeURIComponent(parts.username) }),
    ...(secret === '' ? {} : { password: secret }),
    ...(isSecure ? { tls: tlsOptions(tlsCaFile) } : {}),
  };
}

function tlsOptions(caFile: string | undefined): { readonly ca?: string } {
  return caFile === undefined ? {} : { ca: readTlsFile(caFile, 'Check REDIS_TLS_CA_FILE.') };
}
