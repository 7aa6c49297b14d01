import { Type } from '@sinclair/typebox';
import type { Clock } from '#runtime/clock.ts';
import { HEALTH_PATHS } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type App, PROBLEMS } from './app.ts';
import { stopsNow } from './problem.ts';

export interface HealthOptions {
  /** Rejects where what the API needs is away. */
  readonly check: () => Promise<unknown>;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
}

const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' });

const SUMMARIES = {
  live: 'Whether the process answers',
  ready: 'Whether requests can be served now',
  startup: 'Whether they could be served once',
} as const;

/** As a health server has them, but for figures: those are none of the clients' business. */
export function healthRoutes(app: App, { check, stopping, clock }: HealthOptions): void {
  let asked: { readonly atMs: number; readonly outcome: Promise<unknown> } | undefined;
  /** Asked without a token and as often as anybody likes, Redis is asked once a second. */
  const checkSometimes = (): Promise<unknown> => {
    const nowMs = clock.monotonicMs();
    if (asked === undefined || nowMs - asked.atMs >= LIMITS.controlReadyIntervalMs) {
      asked = { atMs: nowMs, outcome: check() };
    }
    return asked.outcome;
  };
  let hasBeenReady = false;
  const pass = {
    live: async () => undefined,
    async ready() {
      if (stopping.aborted) throw stopsNow();
      await checkSometimes();
      hasBeenReady = true;
    },
    async startup() {
      if (!hasBeenReady) await pass.ready();
    },
  };
  for (const [url, what] of Object.entries(HEALTH_PATHS)) {
    if (what !== 'metrics') route(app, url, SUMMARIES[what], pass[what]);
  }
}

function route(app: App, url: string, summary: string, pass: () => Promise<void>): void {
  const name = url.replaceAll(/[/](.)/g, (_, letter: string) => letter.toUpperCase());
  app.get(
    url,
    {
      schema: {
        // For everybody.
        ...{ tags: ['health'], security: [] },
        operationId: `get${name}`,
        summary,
        response: { 200: Health, ...PROBLEMS },
      },
    },
    async () => {
      await pass();
      return { status: 'ok' as const };
    },
  );
}
