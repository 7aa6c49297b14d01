import type { MemorySample } from './memory.ts';

/** What a fuzzing thread is asked to do. */
export interface Job {
  readonly seed: number;
  readonly firstCase: number;
  /** It ends after so many cases or so many seconds, whichever comes first. */
  readonly casesMax: number;
  readonly secondsMax: number;
  /** The name of the mutant to fuzz instead of the codec's own WebAssembly. */
  readonly mutant: string | undefined;
}

/** What it is given: `progress` holds the number of the case that it is at, -1 before the first. */
export interface WorkerInput {
  readonly job: Job;
  readonly progress: Int32Array<SharedArrayBuffer>;
}

/** What it says at its end. */
export interface Result {
  readonly kind: 'done';
  readonly seconds: number;
  readonly cases: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly rejected: Readonly<Record<string, number>>;
  readonly memory: readonly MemorySample[];
}

/** A case that did not end as it should. */
export interface Failure {
  readonly kind: 'failed';
  readonly how: 'disagreement' | 'exception' | 'hang' | 'crash';
  /** -1 where it was none of them, but the start. */
  readonly caseNumber: number;
  readonly what: string;
}

export type Outcome = Result | Failure;
