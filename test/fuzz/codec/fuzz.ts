import { targetOf } from './cases.ts';
import type { Failure, Job, Result } from './job.ts';
import { memoryTrend } from './memory.ts';
import { MUTANT_CASES_MAX, MUTANTS } from './mutants.ts';
import { runJob } from './watch.ts';

export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Only this one. */
  readonly caseNumber: number | undefined;
}

const PROGRESS_INTERVAL_MS = 30_000;
/** Case numbers are shared as int32. */
const CASES_MAX = 2 ** 31 - 1;

/**
 * `npm run fuzz -- codec`: first a mutant, as a canary that must die; then the codec, for so many
 * seconds. Says what it did, line by line, the last one JSON; returns whether all was well.
 */
export async function fuzzCodec(
  { seed, seconds, caseNumber }: FuzzOptions,
  say: (line: string) => void,
): Promise<boolean> {
  const job: Job = {
    seed,
    firstCase: caseNumber ?? 0,
    casesMax: caseNumber === undefined ? CASES_MAX : 1,
    secondsMax: seconds,
    mutant: undefined,
  };
  const canary = caseNumber === undefined ? await findCanary(seed, say) : {};
  if (canary === undefined) return false;
  if (caseNumber === undefined) say(`codec: seed ${seed}, ${seconds} s`);
  const outcome = await runJob(job, { onProgress: progressLines(say) });
  if (outcome.kind === 'failed') {
    say(describeFailure(seed, outcome));
    say(JSON.stringify({ target: 'codec', seed, failed: outcome.caseNumber, how: outcome.how }));
    return false;
  }
  const summary = summarise(seed, outcome, canary);
  if (summary.memory?.problem !== undefined) say(summary.memory.problem);
  say(JSON.stringify(summary));
  return summary.memory?.problem === undefined;
}

/** Which mutant it is depends on the seed. Returns after how many cases it was found. */
async function findCanary(
  seed: number,
  say: (line: string) => void,
): Promise<Record<string, number> | undefined> {
  const { name } = MUTANTS[seed % MUTANTS.length] as (typeof MUTANTS)[number];
  const job = { seed, firstCase: 0, casesMax: MUTANT_CASES_MAX, secondsMax: 60, mutant: name };
  const outcome = await runJob(job);
  const isFound = outcome.kind === 'failed' && outcome.how !== 'crash';
  if (!isFound) {
    say(`canary: a coder that ${name} is not found: ${JSON.stringify(outcome)}`);
    return undefined;
  }
  say(`canary: a coder that ${name} is found at case ${outcome.caseNumber}`);
  return { [name]: outcome.caseNumber + 1 };
}

export function describeFailure(seed: number, { how, caseNumber, what }: Failure): string {
  if (caseNumber < 0) return `FAILED before the first case: ${how}: ${what}`;
  return [
    `FAILED: target ${targetOf(seed, caseNumber)}, seed ${seed}, case ${caseNumber}: ${how}`,
    what,
    `replay: npm run fuzz -- codec --seed ${seed} --case ${caseNumber}`,
    'Where that finds nothing, the cases before it matter: run the seed without --case.',
  ].join('\n');
}

function summarise(seed: number, result: Result, mutants: Record<string, number>) {
  const { cases, accepted, rejected, seconds, memory } = result;
  const total = Object.values(cases).reduce((sum, count) => sum + count, 0);
  return {
    target: 'codec',
    seed,
    seconds: Math.round(10 * seconds) / 10,
    casesPerSecond: Math.round(total / seconds),
    total,
    cases,
    accepted,
    rejected,
    memory: memoryTrend(memory),
    mutants,
  };
}

function progressLines(say: (line: string) => void): (caseNumber: number) => void {
  let nextMs = performance.now() + PROGRESS_INTERVAL_MS;
  return (caseNumber) => {
    if (performance.now() < nextMs) return;
    say(`at case ${caseNumber}`);
    nextMs += PROGRESS_INTERVAL_MS;
  };
}
