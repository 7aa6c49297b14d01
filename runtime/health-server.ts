import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describeError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { listenAt } from './listen.ts';
import type { Logger } from './log.ts';
import { gather, type MetricSource } from './metrics/family.ts';
import type { ListenAddress } from './variable-reader.ts';

/** What stands in the way of being ready, by name: `ok`, or why not, for a person. */
export type Checks = Readonly<Record<string, string>>;

export interface HealthOptions {
  /** Undefined: no port is opened. */
  readonly listen: ListenAddress | undefined;
  readonly metrics: readonly MetricSource[];
  /** Only looks at what is known: it is asked as often as anybody likes. */
  readonly ready: () => Checks;
  /** From then on the process is not ready. */
  readonly stopping: AbortSignal;
  readonly logger: Logger;
}

export interface HealthServer {
  /** host:port; empty where no port is open. */
  readonly address: string;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly contentType?: string;
}

/** Under the usual names, and under those that KServe and Triton have. */
export const HEALTH_PATHS: Readonly<Record<string, 'live' | 'ready' | 'startup' | 'metrics'>> = {
  '/live': 'live',
  '/healthz': 'live',
  '/v2/health/live': 'live',
  '/ready': 'ready',
  '/v2/health/ready': 'ready',
  '/startup': 'startup',
  '/metrics': 'metrics',
};

/**
 * Tells over HTTP whether the process is well, and what it counted.
 *
 * - live: it answers, so its event loop turns. What else is away (camera, broker, Redis) is no
 *   reason to restart it.
 * - ready: all checks are `ok`, and it does not stop.
 * - startup: it was ready once when somebody asked for either.
 *
 * Throws `settings-invalid` where the port cannot be had.
 */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  if (options.listen === undefined) return { address: '', close: async () => undefined };
  const health = new Health(options);
  const server = createServer(
    {
      maxHeaderSize: LIMITS.healthHeadersBytesMax,
      headersTimeout: LIMITS.healthRequestTimeoutMs,
      requestTimeout: LIMITS.healthRequestTimeoutMs,
      connectionsCheckingInterval: LIMITS.healthRequestCheckMs,
      keepAliveTimeout: LIMITS.healthKeepAliveMs,
    },
    (request, response) => void health.serve(request, response),
  );
  server.maxConnections = LIMITS.healthConnectionsMax;
  // Also of one who does not read an answer.
  server.timeout = LIMITS.healthSilenceMs;
  const address = await listenOn(server, options.listen);
  // A process that has no file left for a connection has work to do all the same.
  server.on('error', (error) => {
    options.logger.warn('health-connection-failed', { error: describeError(error) });
  });
  options.logger.info('health-listens', { address });
  return { address, close: () => closeServer(server) };
}

class Health {
  readonly #options: HealthOptions;
  #hasBeenReady = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body, contentType = 'application/json' } = await this.#answer(request);
    response.writeHead(status, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // Nobody reads the body of a request, so the connection cannot be used again behind one.
      ...(isPlain(request) ? {} : { connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const [path = ''] = request.url?.split('?', 1) ?? [];
    const asked = Object.hasOwn(HEALTH_PATHS, path) ? HEALTH_PATHS[path] : undefined;
    if (asked === undefined) {
      return refusal(404, `Ask for ${Object.keys(HEALTH_PATHS).join(', ')}.`);
    }
    if (!isPlain(request)) return refusal(405, 'Only GET and HEAD are answered.');
    try {
      if (asked === 'metrics') return await this.#metrics(request.headers.accept);
      return this.#told(asked);
    } catch (error) {
      // Whoever looks at a process must not be able to end it.
      const { stack } = error as Error;
      this.#options.logger.error('health-failed', { path, error: describeError(error), stack });
      return refusal(500, 'This could not be read; the log says why.');
    }
  }

  #told(asked: 'live' | 'ready' | 'startup'): Answer {
    if (asked === 'live') return healthy({ loop: 'ok' });
    const { ready, stopping } = this.#options;
    const checks = ready();
    const isReady = Object.values(checks).every((check) => check === 'ok');
    this.#hasBeenReady ||= isReady;
    if (asked === 'startup' && this.#hasBeenReady) return healthy(checks);
    if (stopping.aborted) return unhealthy({ ...checks, process: 'is draining' });
    return isReady ? healthy(checks) : unhealthy(checks);
  }

  /** prom-client is loaded with the first scrape. */
  async #metrics(accept: string | undefined): Promise<Answer> {
    const { renderMetrics } = await import('./metrics/prometheus.ts');
    const { contentType, text } = await renderMetrics(gather(this.#options.metrics), accept);
    return { status: 200, body: text, contentType };
  }
}

function isPlain({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function healthy(checks: Checks): Answer {
  return { status: 200, body: JSON.stringify({ status: 'ok', checks }) };
}

function unhealthy(checks: Checks): Answer {
  return { status: 503, body: JSON.stringify({ status: 'unavailable', checks }) };
}

function refusal(status: number, detail: string): Answer {
  return { status, body: JSON.stringify({ status: 'refused', detail }) };
}

async function listenOn(server: Server, listen: ListenAddress): Promise<string> {
  await listenAt(listen, 'HALFSIGHT_HEALTH_LISTEN', (at) => {
    return new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, resolve);
    });
  });
  const { address, port: given, family } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${given}`;
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Nobody is waited for: probes are answered in one turn, and a scrape can be asked for again.
    server.closeAllConnections();
  });
}
