import { compile, readSource } from '#codec/assembly/build.ts';
import type { EntropyCoder } from '#codec/coder.ts';
import { assert } from '#runtime/assert.ts';
import { Cases } from './cases.ts';

/** A mistake planted in codec/assembly/rans.ts. What the fuzz does not find, it would not find. */
export interface Mutant {
  readonly name: string;
  /** Stands in the source exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'reads words behind the end of a stream',
    find: 'if (position == load<u32>(lane, END)) return fail(lane, TRUNCATED, 0);',
    replace: '',
  },
  {
    name: 'takes an escape of eight nibbles',
    find: 'if (count > <u32>NIBBLES_MAX) return fail',
    replace: 'if (count > <u32>NIBBLES_MAX + 1) return fail',
  },
  {
    name: 'drops the low half of one product of a quotient',
    find: 'high * <u64>load<u32>(slot, RECIPROCAL_LOW) + low * reciprocalHigh;',
    replace:
      '((high * <u64>load<u32>(slot, RECIPROCAL_LOW)) >> split << split) + low * reciprocalHigh;',
  },
  {
    name: 'puts out a word one state too early',
    find: 'const isFull = y > (<u64>',
    replace: 'const isFull = y >= (<u64>',
  },
  {
    name: 'puts out a word one state too late',
    find: '(<u64>load<u32>(slot, FREQUENCY) * nextFrequency) << 31;',
    replace: '((<u64>load<u32>(slot, FREQUENCY) * nextFrequency) << 31) + 1;',
  },
  {
    name: 'puts out the word between nibbles and their slot one state too late',
    find: 'return y > nextFrequency << 47 ? putWord(y) : y;',
    replace: 'return y > (nextFrequency << 47) + 1 ? putWord(y) : y;',
  },
  {
    name: 'puts out the word before a nibble one state too late',
    find: 'if (y > <u64>1 << 59) y = putWord(y);',
    replace: 'if (y > (<u64>1 << 59) + 1) y = putWord(y);',
  },
  {
    name: 'takes nibbles most significant first',
    find: 'raw |= (<u32>x & 15) << (nibble << 2);',
    replace: 'raw |= (<u32>x & 15) << ((count - 1 - nibble) << 2);',
  },
  {
    name: 'guesses the most frequent symbol one value too far',
    find: 'if (distance >= frequency) return take',
    replace: 'if (distance > frequency) return take',
  },
  {
    name: 'guesses the symbol of lane A in lane B',
    find: 'symbolB, b, atB);',
    replace: 'symbolA, b, atB);',
  },
  {
    name: 'stays at the first table in lane B',
    find: 'tableA += TABLE_BYTES, tableB += TABLE_BYTES',
    replace: 'tableA += TABLE_BYTES',
  },
  {
    name: 'reads the largest symbol as too large',
    find: `if (symbol > SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX) {
    return fail`,
    replace: `if (symbol >= SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX) {
    return fail`,
  },
  {
    name: 'writes a symbol that is one too small',
    find: `if (symbol > SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX) {
    fail`,
    replace: `if (symbol > SYMBOL_MAGNITUDE_MAX || symbol < -SYMBOL_MAGNITUDE_MAX - 1) {
    fail`,
  },
  {
    name: 'forgets the start of a slot that it had to search',
    find: 'x = <u64>frequency * (x >> 16) + <u64>(part - start);',
    replace: 'x = <u64>frequency * (x >> 16) + <u64>part;',
  },
  {
    name: 'tells the last error of a stream, not the first',
    find: 'if (load<i32>(lane, STATUS) == OK) {',
    replace: 'if (load<i32>(lane, STATUS) >= OK) {',
  },
  {
    name: 'traps at an escape',
    find: 'const count = <u32>x & 15;',
    replace: 'unreachable();\n  const count = <u32>x & 15;',
  },
];

/** The hardest to find takes some ten thousands. */
export const MUTANT_CASES_MAX = 150_000;

/** Only where something watches: a search for a slot that never ends. */
export const ENDLESS_MUTANT: Mutant = {
  name: 'never ends',
  find: 'while (load<u32>(next) <= part) next += 4;',
  replace: 'while (load<u32>(next) <= part || x != 0) next = cdf;',
};

export async function compileMutant({ name, find, replace }: Mutant) {
  const source = readSource();
  assert(source.split(find).length === 2, `"${name}" has exactly one place in rans.ts`);
  return await compile(source.replace(find, () => replace));
}

/** The number of the first case that fails with such a coder, or undefined. */
export function firstFailure(
  freshCoder: () => EntropyCoder,
  seed: number,
  casesMax = MUTANT_CASES_MAX,
): number | undefined {
  const cases = new Cases(seed, freshCoder);
  for (let caseNumber = 0; caseNumber < casesMax; caseNumber++) {
    try {
      cases.run(caseNumber);
    } catch {
      return caseNumber;
    }
  }
  return undefined;
}
