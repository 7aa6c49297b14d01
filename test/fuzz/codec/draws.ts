import type { Random } from '#runtime/random.ts';

/** An integer from low to high, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.integer(high - low + 1);
}

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)] as T;
}

/** An integer from 1 to max whose number of bits is uniform: small ones are as likely as large. */
export function anyMagnitude(random: Random, max: number): number {
  const bits = random.next() * Math.log2(max + 1);
  return Math.min(max, Math.floor(2 ** bits));
}

/** One key of a record of weights. */
export function weighted<K extends string>(
  random: Random,
  weights: Readonly<Record<K, number>>,
): K {
  const keys = Object.keys(weights) as K[];
  let rest = random.next() * keys.reduce((sum, key) => sum + weights[key], 0);
  for (const key of keys) {
    rest -= weights[key];
    if (rest < 0) return key;
  }
  return keys[0] as K;
}
