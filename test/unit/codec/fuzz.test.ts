import { describe, expect, it } from 'vitest';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { Cases } from '#test/fuzz/codec/cases.ts';
import { describeFailure } from '#test/fuzz/codec/fuzz.ts';
import type { Job } from '#test/fuzz/codec/job.ts';
import { memoryTrend } from '#test/fuzz/codec/memory.ts';
import { ENDLESS_MUTANT } from '#test/fuzz/codec/mutants.ts';
import { runJob } from '#test/fuzz/codec/watch.ts';

const SEED = 20261127;

describe('some thousands of fuzz cases', () => {
  const cases = new Cases(SEED, createWasmCoder);

  it('find nothing', () => {
    for (let caseNumber = 0; caseNumber < 8000; caseNumber++) {
      try {
        cases.run(caseNumber);
      } catch (error) {
        const what = String((error as Error).stack);
        throw new Error(
          describeFailure(SEED, { kind: 'failed', how: 'exception', caseNumber, what }),
        );
      }
    }
  });

  it('reach every target and every way to refuse a stream', () => {
    const { accepted, reasons, rejected } = cases.tally;
    expect([...cases.tally.cases.keys()].sort()).toEqual([
      'bitstream',
      'coder',
      'growth',
      'stream',
    ]);
    expect(accepted).toBeGreaterThan(3000);
    const refusals = [
      'ends before its last symbol',
      'a wrong first state',
      'an escape of N nibbles',
      'symbol N',
      'N bytes, too many',
      'N bytes that no symbol needs',
      'a wrong last state',
    ];
    for (const refusal of refusals) {
      const count = [...reasons].reduce(
        (sum, [reason, times]) => sum + (reason.includes(refusal) ? times : 0),
        0,
      );
      expect(count, refusal).toBeGreaterThan(10);
    }
    expect([...rejected.keys()].sort()).toEqual([
      'bitstream-checksum-mismatch',
      'bitstream-malformed',
      'bitstream-reference-missing',
      'bitstream-shape-mismatch',
      'bitstream-side-mismatch',
      'bitstream-tables-unknown',
      'bitstream-truncated',
      'bitstream-version-unknown',
      'latent-out-of-range',
    ]);
  });

  it('are the same each time, in any order', () => {
    const alone = new Cases(SEED, createWasmCoder);
    const again = new Cases(SEED, createWasmCoder);
    for (let caseNumber = 0; caseNumber < 100; caseNumber++) alone.run(caseNumber);
    for (let caseNumber = 99; caseNumber >= 0; caseNumber--) again.run(caseNumber);
    const sorted = (map: Map<string, number>) => [...map].sort();
    expect(sorted(again.tally.reasons)).toEqual(sorted(alone.tally.reasons));
    expect(again.tally.accepted).toBe(alone.tally.accepted);
  });
});

describe('the thread of the fuzz', () => {
  const job: Job = { seed: 3, firstCase: 0, casesMax: 50, secondsMax: 20, mutant: undefined };

  it('tells what it did', async () => {
    const outcome = await runJob(job);
    expect(outcome).toMatchObject({ kind: 'done' });
    const counts = outcome.kind === 'done' ? Object.values(outcome.cases) : [];
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(50);
  });

  it('is ended when a case never ends, and the case is told', async () => {
    const endless = { ...job, mutant: ENDLESS_MUTANT.name };
    const outcome = await runJob(endless, { caseMsMax: 500 });
    expect(outcome).toMatchObject({ kind: 'failed', how: 'hang' });
    const text = outcome.kind === 'failed' ? describeFailure(3, outcome) : '';
    expect(text).toMatch(/target \w+, seed 3, case \d+: hang/);
    expect(text).toMatch(/npm run fuzz -- codec --seed 3 --case \d+/);
  });

  it('may crash, which is told', async () => {
    const outcome = await runJob({ ...job, mutant: 'no such mutant' });
    expect(outcome).toMatchObject({ kind: 'failed', how: 'crash', caseNumber: -1 });
  });
});

describe('the memory of a long run', () => {
  const samplesOf = (bytesAt: (second: number) => number) =>
    Array.from({ length: 100 }, (_, second) => ({
      atMs: 1000 * second,
      rssBytes: 300 * 2 ** 20 + bytesAt(second),
      heldBytes: bytesAt(second),
    }));

  it('may grow at first, and then no more', () => {
    const flat = memoryTrend(samplesOf((second) => Math.min(8, second) * 50 * 2 ** 20));
    expect(flat).toMatchObject({ rssStartMiB: 700, rssEndMiB: 700, problem: undefined });
    const leak = memoryTrend(samplesOf((second) => second * 2 ** 20));
    expect(leak?.problem).toContain('memory grows');
  });

  it('of a short one tells nothing', () => {
    expect(memoryTrend(samplesOf(() => 0).slice(0, 10))).toBeUndefined();
  });
});
