import type { EntropyCoder } from '#codec/coder.ts';
import { referenceCoder } from '#codec/rans-reference.ts';
import type { CodingTables } from '#codec/tables.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { bitstreamCase } from './bitstream-target.ts';
import { coderCase } from './coder-target.ts';
import { weighted } from './draws.ts';
import { growthCase } from './growth-target.ts';
import { type Case, Tally } from './judge.ts';
import { streamCase } from './stream-target.ts';
import { drawTables } from './table-sets.ts';

const TARGETS = {
  coder: { weight: 1, run: coderCase },
  stream: { weight: 1, run: streamCase },
  bitstream: { weight: 0.4, run: bitstreamCase },
  growth: { weight: 0.001, run: growthCase },
} as const;

export type TargetName = keyof typeof TARGETS;

const WEIGHTS = Object.fromEntries(
  Object.entries(TARGETS).map(([name, { weight }]) => [name, weight]),
) as Record<TargetName, number>;

/** So many cases in a row share their tables. */
const CASES_PER_TABLES = 16;

/** The cases of a seed. A case is a function of the seed, its number and the coder. */
export class Cases {
  readonly tally = new Tally();
  readonly #seed: number;
  readonly #freshCoder: () => EntropyCoder;
  readonly #coder: EntropyCoder;
  #sets: Case['sets'] | undefined;
  #setsNumber = -1;

  constructor(seed: number, freshCoder: () => EntropyCoder, coder = freshCoder()) {
    this.#seed = seed;
    this.#freshCoder = freshCoder;
    this.#coder = coder;
  }

  /** Throws what is wrong. */
  run(caseNumber: number): void {
    const { name, random } = begin(this.#seed, caseNumber);
    this.tally.begin(name);
    const sets = this.#setsOf(Math.floor(caseNumber / CASES_PER_TABLES));
    TARGETS[name].run({
      random,
      sets,
      coder: this.#coder,
      freshCoder: this.#freshCoder,
      reference: referenceCoder,
      tally: this.tally,
    });
  }

  #setsOf(number: number): readonly [CodingTables, CodingTables] {
    if (this.#sets === undefined || this.#setsNumber !== number) {
      const random = seededRandom(this.#seed).fork(`tables ${number}`);
      this.#sets = [drawTables(random), drawTables(random)];
      this.#setsNumber = number;
    }
    return this.#sets;
  }
}

export function targetOf(seed: number, caseNumber: number): TargetName {
  return begin(seed, caseNumber).name;
}

function begin(seed: number, caseNumber: number): { name: TargetName; random: Random } {
  const random = seededRandom(seed).fork(`case ${caseNumber}`);
  return { name: weighted(random, WEIGHTS), random };
}
