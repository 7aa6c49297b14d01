import { randomInt } from 'node:crypto';

/** A stream of pseudo-random numbers that a seed determines. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** An independent stream named by `label`, so that adding a draw here shifts nothing there. */
  fork(label: string): Random;
}

/** A seed nobody can predict, for jitter and for runs that nobody asked to be repeatable. */
export function freshSeed(): number {
  return randomInt(2 ** 31);
}

/** Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, passes gjrand, fast in JS. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    integer: (bound) => Math.floor(next() * bound),
    fork: (label) => seededRandom(hashLabel(label, seed)),
  };
}

/** FNV-1a over the label, started from the seed. */
function hashLabel(label: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < label.length; index++) {
    hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
