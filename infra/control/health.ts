import { Type } from '@sinclair/typebox';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type App, PROBLEMS } from './app.ts';
import { stopsNow } from './problem.ts';

export interface HealthOptions {
  /** Rejects where what the API needs is away. */
  readonly check: () => Promise<unknown>;
  readonly stopping: AbortSignal;
  readonly clock: Clock;
}

const FOR_EVERYBODY = { tags: ['health'], security: [] };
const Health = Type.Object({ status: Type.Literal('ok') }, { title: 'Health' });

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
  app.get(
    '/live',
    {
      schema: {
        ...FOR_EVERYBODY,
        operationId: 'getLive',
        summary: 'Whether the process answers',
        response: { 200: Health, ...PROBLEMS },
      },
    },
    async () => ({ status: 'ok' as const }),
  );
  app.get(
    '/ready',
    {
      schema: {
        ...FOR_EVERYBODY,
        operationId: 'getReady',
        summary: 'Whether requests can be served now',
        response: { 200: Health, ...PROBLEMS },
      },
    },
    async () => {
      if (stopping.aborted) throw stopsNow();
      await checkSometimes();
      return { status: 'ok' as const };
    },
  );
}
