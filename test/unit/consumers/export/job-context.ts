import type { JobContext } from '#consumers/jobs/kind.ts';
import { silentLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import type { storedResults } from './stored-results.ts';

/** What a job is given that works on stored results. */
export function jobContext(
  { broker, topics, clock }: Pick<ReturnType<typeof storedResults>, 'broker' | 'topics' | 'clock'>,
  changes: Partial<JobContext> = {},
): JobContext {
  return {
    ...{ id: 'job-1', addedMs: Math.floor(clock.nowUs() / 1000), broker, topics, clock },
    stopping: new AbortController().signal,
    progress: () => undefined,
    mayRun: async () => true,
    throttled: () => undefined,
    environment: readEnvironment({}),
    logger: silentLogger,
    tracer: noTracer,
    ...changes,
  };
}
