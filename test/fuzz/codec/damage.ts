import { STATE_BYTES, WORD_BYTES } from '#codec/coder.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, chance, pick } from './draws.ts';

/** What can become of bytes on their way, by accident or on purpose. None changes its argument. */
type Damage = (random: Random, bytes: Uint8Array, other: Uint8Array) => Uint8Array;

const flipBits: Damage = (random, bytes) => {
  const copy = Uint8Array.from(bytes);
  for (let flips = between(random, 1, 4); flips > 0; flips--) {
    const at = random.integer(copy.length);
    if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << random.integer(8));
  }
  return copy;
};

const setBytes: Damage = (random, bytes) => {
  const copy = Uint8Array.from(bytes);
  const value = pick(random, [0, 255, 1, 127, 128, random.integer(256)]);
  const from = random.integer(copy.length + 1);
  copy.fill(value, from, from + anyMagnitude(random, copy.length + 1));
  return copy;
};

const swapWords: Damage = (random, bytes) => {
  const copy = Uint8Array.from(bytes);
  const words = Math.floor(copy.length / WORD_BYTES);
  if (words === 0) return copy;
  const [to, from] = [random.integer(words) * WORD_BYTES, random.integer(words) * WORD_BYTES];
  copy.set(bytes.subarray(from, from + WORD_BYTES), to);
  copy.set(bytes.subarray(to, to + WORD_BYTES), from);
  return copy;
};

const cut: Damage = (random, bytes) => bytes.slice(0, random.integer(bytes.length + 1));

const cutALittle: Damage = (random, bytes) => {
  const lost = pick(random, [1, WORD_BYTES]) * anyMagnitude(random, 1 + bytes.length / WORD_BYTES);
  return bytes.slice(0, Math.max(0, bytes.length - lost));
};

const extend: Damage = (random, bytes) => {
  const more = new Uint8Array(
    chance(random, 0.8) ? 4 * between(random, 1, 3) : 1 + random.integer(9),
  );
  fillRandomly(random, more);
  return joined(bytes, more);
};

const splice: Damage = (random, bytes, other) => {
  const unit = pick(random, [1, WORD_BYTES]);
  const head = unit * random.integer(Math.floor(bytes.length / unit) + 1);
  const tail = unit * random.integer(Math.floor(other.length / unit) + 1);
  return joined(bytes.subarray(0, head), other.subarray(tail));
};

const loseOrRepeatWord: Damage = (random, bytes) => {
  const at = WORD_BYTES * random.integer(Math.floor(bytes.length / WORD_BYTES) + 1);
  const to = chance(random, 0.5) ? at + WORD_BYTES : Math.max(0, at - WORD_BYTES);
  return joined(bytes.subarray(0, at), bytes.subarray(to));
};

const TOP = 2n ** 63n;
const BOTTOM = 2n ** 31n;

const changeState: Damage = (random, bytes) => {
  if (bytes.length < STATE_BYTES) return bytes;
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  const state = view.getBigUint64(0, true);
  const any = BigInt(Math.floor(2 ** (31 + 32 * random.next()))) + BigInt(random.integer(65536));
  const states = [BOTTOM, BOTTOM - 1n, BOTTOM + 1n, TOP - 1n, TOP, 0n, state + 1n, state - 1n, any];
  view.setBigUint64(0, BigInt.asUintN(64, pick(random, states)), true);
  return copy;
};

const DAMAGES = [
  flipBits,
  setBytes,
  swapWords,
  cut,
  cutALittle,
  extend,
  splice,
  loseOrRepeatWord,
  changeState,
];

/** One damage, or a few of them. `other` is where a splice takes its end from. */
export function damage(random: Random, bytes: Uint8Array, other: Uint8Array): Uint8Array {
  let damaged = bytes;
  do damaged = pick(random, DAMAGES)(random, damaged, other);
  while (chance(random, 0.2));
  return damaged;
}

/**
 * Bytes that nobody encoded, made to live long: the first state is a valid one and there are about
 * as many words as so many symbols take.
 */
export function noise(random: Random, symbolCount: number): Uint8Array {
  const wordsMax = 2 + anyMagnitude(random, 3 * symbolCount + 1);
  const bytes = new Uint8Array(STATE_BYTES + WORD_BYTES * random.integer(wordsMax));
  fillRandomly(random, bytes);
  if (chance(random, 0.95)) (bytes[7] as number) &= 127;
  return bytes;
}

export function fillRandomly(random: Random, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.integer(256);
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(head.length + tail.length);
  bytes.set(head);
  bytes.set(tail, head.length);
  return bytes;
}
