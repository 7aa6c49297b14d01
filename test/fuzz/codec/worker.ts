import { parentPort, workerData } from 'node:worker_threads';
import { coder as coderOfBitstreams } from '#codec/bitstream.ts';
import type { EntropyCoder } from '#codec/coder.ts';
import { tableSetBytes } from '#codec/rans-tables.ts';
import { createWasmCoder, shippedModule } from '#codec/rans-wasm.ts';
import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import { Cases } from './cases.ts';
import type { Job, Outcome, WorkerInput } from './job.ts';
import { Disagreement } from './judge.ts';
import { type MemorySample, sampleMemory } from './memory.ts';
import { compileMutant, ENDLESS_MUTANT, MUTANTS } from './mutants.ts';
import { assembleTables } from './table-sets.ts';

/** The thread in which cases run, one after another; watch.ts looks after it. */
const { job, progress } = workerData as WorkerInput;
const SAMPLES_WANTED = 300;
const SAMPLE_INTERVAL_MS_MIN = 500;

// Errors are what half of the cases end in, and most of what they cost is their stack.
Error.stackTraceLimit = 4;
parentPort?.postMessage(await run(job));

async function run({ seed, firstCase, casesMax, secondsMax, mutant }: Job): Promise<Outcome> {
  const module = mutant === undefined ? shippedModule() : await moduleOf(mutant);
  const freshCoder = () => createWasmCoder(module);
  const coder = freshCoder();
  if (mutant === undefined && casesMax > 1) for (const one of [coder, coderOfBitstreams]) fill(one);
  const cases = new Cases(seed, freshCoder, coder);
  const startMs = performance.now();
  const intervalMs = Math.max(SAMPLE_INTERVAL_MS_MIN, (1000 * secondsMax) / SAMPLES_WANTED);
  const memory: MemorySample[] = [];
  let nowMs = 0;
  let nextSampleMs = 0;
  for (let caseNumber = firstCase; caseNumber < firstCase + casesMax; caseNumber++) {
    Atomics.store(progress, 0, caseNumber);
    try {
      cases.run(caseNumber);
    } catch (error) {
      const how = error instanceof Disagreement ? 'disagreement' : 'exception';
      const { message, stack = message } = error as Error;
      return { kind: 'failed', how, caseNumber, what: how === 'exception' ? stack : message };
    }
    nowMs = performance.now() - startMs;
    if (nowMs >= nextSampleMs) {
      memory.push(sampleMemory(nowMs));
      nextSampleMs = nowMs + intervalMs;
    }
    if (nowMs >= 1000 * secondsMax) break;
  }
  const { tally } = cases;
  return {
    kind: 'done',
    seconds: nowMs / 1000,
    cases: Object.fromEntries(tally.cases),
    accepted: tally.accepted,
    rejected: Object.fromEntries(tally.rejected),
    memory,
  };
}

async function moduleOf(name: string) {
  const mutant = [...MUTANTS, ENDLESS_MUTANT].find((one) => one.name === name);
  return await compileMutant(defined(mutant, `the mutant "${name}"`));
}

/** Has a coder take all the memory that it will ever take, for what comes to be flat. */
function fill(coder: EntropyCoder): void {
  const cdfs = Array<Int32Array>(LIMITS.tablesPerSetMax).fill(Int32Array.of(0, 1, 65536));
  const tables = assembleTables(cdfs, () => 0);
  const symbols = new Int32Array(LIMITS.latentSymbolsMax);
  const choice = { kind: 'planes', first: 0, planeSize: symbols.length } as const;
  coder.decode([{ symbols, tables, choice, payload: Uint8Array.of(0, 0, 0, 128, 0, 0, 0, 0) }]);
  const bytesEach = tableSetBytes(tables);
  for (let bytes = 0; bytes <= LIMITS.coderTableBytesMax; bytes += bytesEach) {
    const one = { kind: 'planes', first: 0, planeSize: 1 } as const;
    coder.encode({ symbols: Int32Array.of(0), tables: { ...tables }, choice: one });
  }
}
