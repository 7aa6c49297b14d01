import { beforeAll, describe, expect, it } from 'vitest';
import { CANARIES } from './canaries.ts';
import { openSimulation, type Simulate } from './simulate.ts';

/** Some mistakes show only where the right fault strikes in the right moment. */
const SEEDS_MAX = 60;

let simulate: Simulate;
beforeAll(async () => {
  simulate = await openSimulation();
});

describe('a planted mistake is noticed', () => {
  it.each(CANARIES)('$mistake', async ({ changes, breaks }) => {
    for (let seed = 0; seed < SEEDS_MAX; seed++) {
      const { violations } = await simulate(seed, { changes });
      if (violations.some(({ law }) => breaks.includes(law))) return;
    }
    expect.fail(`not in ${SEEDS_MAX} seeds`);
  });
});
