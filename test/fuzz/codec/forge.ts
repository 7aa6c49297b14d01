import { parseContainer } from '#codec/bitstream.ts';
import { writeContainer } from '#codec/container-v2.ts';
import { type Container, symbolCount } from '#codec/header.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Random } from '#runtime/random.ts';
import { damage } from './damage.ts';
import { between, chance, pick } from './draws.ts';
import { attempt } from './judge.ts';
import { writeVersion1 } from './version1.ts';

/**
 * Bitstreams that say something else and are written as well as can be: what a forger does, or a
 * camera agent with a mistake in it. Random bytes would hardly ever get so far.
 */
export function forge(random: Random, bytes: Uint8Array): Uint8Array {
  const container = attempt(() => parseContainer(bytes));
  if (container instanceof HalfsightError) return bytes;
  let forged = container;
  const hasSide = container.header.side !== undefined;
  const own = bytes[2] === 1 ? VERSION_1_FORGERIES : hasSide ? SIDE_FORGERIES : [];
  const kinds = [...FORGERIES, ...own];
  for (let changes = between(random, 1, 2); changes > 0; changes--) {
    forged = pick(random, kinds)(random, forged);
  }
  return bytes[2] === 1 ? writeVersion1(forged) : writeContainer(forged);
}

type Forgery = (random: Random, container: Container) => Container;

const swapSides: Forgery = (_, container) => {
  const { height, width } = container.header;
  return { ...container, header: { ...container.header, height: width, width: height } };
};

const resize: Forgery = (random, container) => {
  const side = pick(random, ['channels', 'height', 'width'] as const);
  const size = resized(random, container.header[side]);
  return { ...container, header: { ...container.header, [side]: size } };
};

function resized(random: Random, size: number): number {
  return pick(random, [size + 1, Math.max(0, size - 1), 2 * size, 0, 1, 1024, 1025, 70_000]);
}

/** The channels of the latent follow, or do not. */
const loseChunk: Forgery = (random, container) => {
  const lost = random.integer(container.chunks.length);
  const chunks = container.chunks.filter((_, index) => index !== lost);
  const channels = chunks.reduce((sum, { channelCount }) => sum + channelCount, 0);
  if (chance(random, 0.3)) return { ...container, chunks };
  return { ...container, chunks, header: { ...container.header, channels } };
};

const repeatChunk: Forgery = (random, container) => {
  const chunks = [...container.chunks, ...container.chunks.slice(-1)];
  const channels = chunks.reduce((sum, { channelCount }) => sum + channelCount, 0);
  if (chance(random, 0.3)) return { ...container, chunks };
  return { ...container, chunks, header: { ...container.header, channels } };
};

const emptyChunk: Forgery = (random, container) => {
  const empty = { channelCount: 0, payload: Uint8Array.of(0, 0, 0, 128, 0, 0, 0, 0) };
  const chunks = container.chunks.toSpliced(random.integer(container.chunks.length + 1), 0, empty);
  return { ...container, chunks };
};

const moveChannel: Forgery = (random, container) => {
  const from = random.integer(container.chunks.length);
  const to = random.integer(container.chunks.length);
  const chunks = container.chunks.map((chunk, index) => {
    const change = (index === to ? 1 : 0) - (index === from ? 1 : 0);
    return { ...chunk, channelCount: Math.max(0, chunk.channelCount + change) };
  });
  return { ...container, chunks };
};

const miscount: Forgery = (random, container) => {
  const which = random.integer(container.chunks.length);
  const chunks = container.chunks.map((chunk, index) =>
    index === which ? { ...chunk, channelCount: resized(random, chunk.channelCount) } : chunk,
  );
  return { ...container, chunks };
};

const swapPayloads: Forgery = (random, container) => {
  const other = pick(random, container.chunks)?.payload ?? new Uint8Array(8);
  const which = random.integer(container.chunks.length);
  const chunks = container.chunks.map((chunk, index) =>
    index === which ? { ...chunk, payload: other } : chunk,
  );
  return { ...container, chunks };
};

const damagePayload: Forgery = (random, container) => {
  const which = random.integer(container.chunks.length);
  const chunks = container.chunks.map((chunk, index) =>
    index === which ? { ...chunk, payload: damagedWords(random, chunk.payload) } : chunk,
  );
  return { ...container, chunks };
};

/** Version 1 could say that there are others. */
const damageBytes: Forgery = (random, container) => {
  const which = random.integer(container.chunks.length);
  const chunks = container.chunks.map((chunk, index) => {
    const payload = damage(random, chunk.payload, chunk.payload);
    return index === which ? { ...chunk, payload } : chunk;
  });
  return { ...container, chunks };
};

function damagedWords(random: Random, payload: Uint8Array): Uint8Array {
  const damaged = damage(random, payload, payload);
  return damaged.subarray(0, damaged.length - (damaged.length % 4));
}

const refer: Forgery = (random, container) => {
  const isInter = chance(random, 0.7);
  const frameType = isInter ? ('inter' as const) : ('intra' as const);
  const referenceSequence = isInter ? random.integer(2 ** 31) * 2 ** 24 : undefined;
  return { ...container, header: { ...container.header, frameType, referenceSequence } };
};

const claimSide: Forgery = (random, container) => {
  const side = { channels: 1, height: 1, width: 1, indexChecksum: 0, corrections: [] };
  const sidePayload = Uint8Array.of(0, 0, 0, 128, 0, 0, 0, 0);
  if (chance(random, 0.7)) return container;
  return { ...container, sidePayload, header: { ...container.header, side } };
};

const FORGERIES = [
  swapSides,
  resize,
  loseChunk,
  repeatChunk,
  emptyChunk,
  moveChannel,
  miscount,
  swapPayloads,
  damagePayload,
  refer,
  claimSide,
];

const VERSION_1_FORGERIES = [damageBytes];

const resizeSide: Forgery = (random, container) => {
  const { side } = container.header;
  if (side === undefined) return container;
  const which = pick(random, ['channels', 'height', 'width'] as const);
  const size = chance(random, 0.5) ? side[which] + 1 : resized(random, side[which]);
  return { ...container, header: { ...container.header, side: { ...side, [which]: size } } };
};

const damageSide: Forgery = (random, container) => {
  const { sidePayload = new Uint8Array(8) } = container;
  return { ...container, sidePayload: damagedWords(random, sidePayload) };
};

/** Of symbols and to tables that there are, or are not. */
const correct: Forgery = (random, container) => {
  const { side } = container.header;
  if (side === undefined) return container;
  const count = symbolCount(container.header);
  const corrections = new Map(side.corrections.map((one) => [one.symbol, one]));
  for (let more = between(random, 1, 3); more > 0; more--) {
    const symbol = pick(random, [random.integer(count), count - 1, count, random.integer(count)]);
    const tableIndex = pick(random, [0, 1, 2, 63, 64, 255, random.integer(256)]);
    corrections.set(symbol, { symbol, tableIndex });
  }
  const sorted = [...corrections.values()].sort((a, b) => a.symbol - b.symbol);
  const header = { ...container.header, side: { ...side, corrections: sorted } };
  return { ...container, header };
};

const loseSide: Forgery = (random, container) => {
  if (chance(random, 0.5)) return container;
  return { ...container, sidePayload: undefined, header: { ...container.header, side: undefined } };
};

const SIDE_FORGERIES = [correct, correct, correct, resizeSide, resizeSide, damageSide, loseSide];
