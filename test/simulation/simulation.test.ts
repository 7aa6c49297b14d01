import { beforeAll, describe, expect, it } from 'vitest';
import { TASKS } from '#schemas/result.ts';
import { FAILED_ONCE } from './seeds.ts';
import { describeFailure, openSimulation, type Simulate } from './simulate.ts';

/**
 * A few seeds in every run of the tests; `npm run simulate` runs as many as there is time for. The
 * last one has a transaction that times out: it takes a zombie that nobody takes over from.
 */
const SEEDS = [...Array.from({ length: 40 }, (_, index) => index), 65];

let simulate: Simulate;
beforeAll(async () => {
  simulate = await openSimulation();
});

describe('no law is broken', () => {
  const tally: Record<string, number> = {};

  it.each(SEEDS)('seed %i', async (seed) => {
    const outcome = await simulate(seed);
    expect(outcome.violations, describeFailure(seed, outcome)).toEqual([]);
    for (const [name, count] of Object.entries(outcome.tally)) {
      tally[name] = (tally[name] ?? 0) + count;
    }
  });

  it('although all of it did happen', () => {
    for (const name of [
      ...['agent-crash', 'inference-crash', 'inference-freeze', 'rebalance', 'broker-away'],
      ...['holder-fenced', 'session-timed-out'],
      ...['transaction-failed', 'engine-restarts', 'duplicate-frame', 'batch-retried'],
    ]) {
      expect(tally[name] ?? 0, name).toBeGreaterThan(SEEDS.length / 4);
    }
    expect(tally['transaction-timed-out']).toBeGreaterThan(0);
    for (const task of TASKS) {
      expect(tally[`results-unwanted-${task}`]).toBeGreaterThan(SEEDS.length * 10);
      expect(tally[`results-${task}`]).toBeGreaterThan(SEEDS.length * 10);
    }
    expect(tally.captured).toBeGreaterThan(SEEDS.length * 100);
    expect(tally.delivered).toBeGreaterThan(SEEDS.length * 300);
  });
});

describe('what failed once does not fail again', () => {
  it.each(FAILED_ONCE)('seed $seed: $story', async ({ seed }) => {
    const outcome = await simulate(seed);
    expect(outcome.violations, describeFailure(seed, outcome)).toEqual([]);
  });
});

it('the same seed is the same run', async () => {
  const linesOf = async () => {
    const lines: string[] = [];
    await simulate(7, { tell: (line) => void lines.push(line) });
    return lines;
  };
  const first = await linesOf();
  expect(first.length).toBeGreaterThan(50);
  expect(await linesOf()).toEqual(first);
});
