import { Worker } from 'node:worker_threads';
import type { Failure, Job, Outcome, WorkerInput } from './job.ts';

/** A case takes microseconds, and the largest some tens of milliseconds. */
export const CASE_MS_MAX = 10_000;
/** A mutant has to be compiled first. */
const START_MS_MAX = 60_000;

/**
 * Runs a job in a thread of its own, and ends that thread when it stays too long at one case. That
 * also ends loops in WebAssembly.
 */
export async function runJob(
  job: Job,
  options: { readonly caseMsMax?: number; readonly onProgress?: (caseNumber: number) => void } = {},
): Promise<Outcome> {
  const { caseMsMax = CASE_MS_MAX, onProgress = () => undefined } = options;
  const progress = new Int32Array(new SharedArrayBuffer(4)).fill(-1);
  const input: WorkerInput = { job, progress };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: input });
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const crash = (what: string) => resolve(failure('crash', Atomics.load(progress, 0), what));
  worker.on('message', resolve);
  worker.on('error', (error) => crash(String(error)));
  worker.on('exit', (code) => crash(`the thread ended with ${code}`));

  let seen = -1;
  let seenMs = performance.now();
  const watch = setInterval(
    () => {
      const caseNumber = Atomics.load(progress, 0);
      const nowMs = performance.now();
      if (caseNumber !== seen) {
        [seen, seenMs] = [caseNumber, nowMs];
        onProgress(caseNumber);
      } else if (nowMs - seenMs > (seen < 0 ? START_MS_MAX : caseMsMax)) {
        resolve(failure('hang', seen, `it takes longer than ${caseMsMax} ms`));
      }
    },
    Math.min(200, caseMsMax / 4),
  );
  try {
    return await promise;
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}

function failure(how: Failure['how'], caseNumber: number, what: string): Failure {
  return { kind: 'failed', how, caseNumber, what };
}
