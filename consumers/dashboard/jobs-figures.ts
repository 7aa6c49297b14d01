import type { Job } from '#consumers/jobs/job.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { JobFigures, JobsFigures } from './protocol.ts';

/** The part of the queue that is looked at. */
export interface JobList {
  list(): Promise<readonly Job[]>;
}

/** The queue of jobs, looked at while somebody looks; never so often as to be felt there. */
export class JobsReader {
  /** Undefined while no Redis is named. */
  readonly #queue: () => Promise<JobList | undefined>;
  readonly #clock: Clock;
  #asked: { readonly atMs: number; readonly answer: Promise<JobsFigures> } | undefined;

  constructor(queue: () => Promise<JobList | undefined>, clock: Clock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  read(): Promise<JobsFigures> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= LIMITS.wallJobsIntervalMs) {
      this.#asked = { atMs: nowMs, answer: this.#read() };
    }
    return this.#asked.answer;
  }

  async #read(): Promise<JobsFigures> {
    try {
      const queue = await this.#queue();
      return queue === undefined ? { state: 'unnamed' } : figuresOf(await queue.list());
    } catch (error) {
      if (!(error instanceof HalfsightError)) throw error;
      return { state: 'unreachable', detail: describeError(error) };
    }
  }
}

function figuresOf(jobs: readonly Job[]): JobsFigures {
  const byState: Record<string, number> = {};
  for (const { status } of jobs) byState[status] = (byState[status] ?? 0) + 1;
  const newest = jobs
    .toSorted((a, b) => b.addedMs - a.addedMs)
    .slice(0, LIMITS.wallJobsShownMax)
    .map(figureOf);
  return { state: 'known', byState, newest };
}

function figureOf({ id, kind, status, news, failure }: Job): JobFigures {
  const progress = status === 'done' ? 1 : progressOf(news?.figures);
  return { id, kind, state: status, progress, detail: failure ?? news?.text ?? '' };
}

/** Of kinds that tell how far they are, as backfills do. */
function progressOf(figures: Readonly<Record<string, unknown>> | undefined): number | null {
  const { framesDone, framesTotalEstimate } = figures ?? {};
  if (typeof framesDone !== 'number' || typeof framesTotalEstimate !== 'number') return null;
  return framesTotalEstimate > 0 ? Math.min(1, framesDone / framesTotalEstimate) : null;
}
