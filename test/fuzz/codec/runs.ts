import type { Run, TableChoice } from '#codec/coder.ts';
import type { CodingTables } from '#codec/tables.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { anyMagnitude, between, chance, pick, weighted } from './draws.ts';
import { slotOf } from './table-sets.ts';

/** Random symbols and the tables they are coded with. */
export function drawRun(random: Random, tables: CodingTables): Run {
  const choice = drawChoice(random, tables);
  return { symbols: drawSymbols(random, tables, choice.choice, choice.count), tables, ...choice };
}

export interface CountedChoice {
  readonly choice: TableChoice;
  /** Of symbols. */
  readonly count: number;
}

export function drawChoice(random: Random, tables: CodingTables): CountedChoice {
  const wanted = drawCount(random, tables);
  if (chance(random, 0.35)) {
    const tablesMax = Math.min(256, tables.count);
    const indexes = Uint8Array.from({ length: wanted }, () => random.integer(tablesMax));
    return { choice: { kind: 'indexes', indexes }, count: wanted };
  }
  const planesMax = Math.min(tables.count, Math.max(1, wanted));
  const planes = wanted === 0 ? 0 : between(random, 1, planesMax);
  const planeSize = Math.max(1, Math.round(wanted / Math.max(1, planes)));
  return { choice: planesFrom(random, tables, planes, planeSize), count: planes * planeSize };
}

/** So many planes from any table on that leaves enough behind it. */
export function planesFrom(
  random: Random,
  tables: CodingTables,
  planes: number,
  planeSize: number,
): TableChoice {
  return { kind: 'planes', first: between(random, 0, tables.count - planes), planeSize };
}

export function tableOf(choice: TableChoice, index: number): number {
  if (choice.kind === 'indexes') return choice.indexes[index] as number;
  return choice.first + Math.floor(index / choice.planeSize);
}

/** Mostly few: the reference is slow, and where tables are large it is slower. */
function drawCount(random: Random, tables: CodingTables): number {
  const slots = tables.cdfs[0]?.length ?? 0;
  if (slots > 10_000) return between(random, 1, 12);
  if (slots > 400) return between(random, 1, 40);
  const dice = random.next();
  if (dice < 0.02) return 0;
  if (dice < 0.95) return between(random, 1, 40);
  if (dice < 0.9995) return between(random, 41, 300);
  return between(random, 301, 6000);
}

const PROFILES = { natural: 9, spread: 4, edges: 3, escapes: 3, limits: 1 };
type Profile = keyof typeof PROFILES;

export function drawSymbols(
  random: Random,
  tables: CodingTables,
  choice: TableChoice,
  count: number,
): Int32Array {
  const profile = weighted(random, PROFILES);
  const isPure = chance(random, 0.5);
  return Int32Array.from({ length: count }, (_, index) => {
    const table = tableOf(choice, index);
    const kind = isPure || chance(random, 0.8) ? profile : weighted(random, PROFILES);
    const cdf = tables.cdfs[table] as Int32Array;
    return drawSymbol(random, cdf, tables.offsets[table] as number, kind);
  });
}

function drawSymbol(random: Random, cdf: Int32Array, offset: number, profile: Profile): number {
  const escapeSlot = cdf.length - 2;
  switch (profile) {
    case 'natural': {
      const slot = slotOf(cdf, random.integer(65536));
      return withinLimits(offset + slot + (slot === escapeSlot ? random.integer(8) : 0));
    }
    case 'spread':
      return withinLimits(offset + random.integer(escapeSlot + 1));
    case 'edges':
      return withinLimits(
        offset + pick(random, [-2, -1, 0, 1, escapeSlot - 1, escapeSlot, escapeSlot + 1]),
      );
    case 'escapes': {
      const distance = anyMagnitude(random, 2 ** 27) - 1;
      return withinLimits(offset + (chance(random, 0.5) ? escapeSlot + distance : -1 - distance));
    }
    case 'limits':
      return pick(random, [-1, 1]) * (SYMBOL_MAX - random.integer(3));
  }
}

const SYMBOL_MAX = LIMITS.symbolMagnitudeMax;

function withinLimits(symbol: number): number {
  return Math.max(-SYMBOL_MAX, Math.min(SYMBOL_MAX, symbol));
}

/** A symbol that no escape code may hold. */
export function drawSymbolTooLarge(random: Random): number {
  const size = pick(random, [
    SYMBOL_MAX + 1,
    SYMBOL_MAX + 2,
    2 ** 27,
    2 ** 31 - 1,
    between(random, SYMBOL_MAX + 1, 2 ** 31 - 1),
  ]);
  if (chance(random, 0.05)) return -(2 ** 31);
  return chance(random, 0.5) ? size : -size;
}
