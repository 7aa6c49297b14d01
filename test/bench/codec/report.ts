import { markdownTable } from '../instruments/section.ts';
import type { Direction } from './contenders.ts';

/** Nanoseconds a symbol. */
export interface Nanoseconds {
  readonly min: number;
  readonly median: number;
}

/** By contender, then by direction; null where CompressAI cannot run. */
export type Times = Readonly<
  Record<string, Readonly<Partial<Record<Direction, Nanoseconds>>> | null>
>;

export interface Row {
  readonly latent: string;
  readonly symbols: number;
  readonly bytes: number;
  readonly bitsPerSymbol: number;
  readonly times: Times;
}

type Statistic = keyof Nanoseconds;

/** How many times the first is as fast as the second. */
const RATIOS: Readonly<Record<string, readonly [Direction, string, Direction]>> = {
  encodeVsNative: ['encode', 'native', 'encode'],
  decodeVsNative: ['decode', 'native', 'decode'],
  pairVsNative: ['decodePair', 'native', 'decode'],
  encodeVsPython: ['encode', 'python', 'encode'],
  decodeVsPython: ['decode', 'python', 'decode'],
};

export function ratiosOf({ times }: Row, statistic: Statistic): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(RATIOS).map(([name, [direction, contender, theirs]]) => {
      const own = times.fast?.[direction]?.[statistic];
      const other = times[contender]?.[theirs]?.[statistic];
      const isKnown = own !== undefined && other !== undefined;
      return [name, isKnown ? Number((other / own).toFixed(2)) : null];
    }),
  );
}

/** Python's lists: its call of the same machine code, less the code. Of minima. */
export function conversionOf({ times }: Row): Record<string, number | null> {
  const of = (direction: Direction) => {
    const call = times.pythonSameCode?.[direction]?.min;
    const loop = times.native?.[direction]?.min;
    return call === undefined || loop === undefined ? null : Number((call - loop).toFixed(2));
  };
  return { encode: of('encode'), decode: of('decode') };
}

const COLUMNS: readonly (readonly [title: string, contender: string, Direction])[] = [
  ['fast enc', 'fast', 'encode'],
  ['fast dec', 'fast', 'decode'],
  ['two streams dec', 'fast', 'decodePair'],
  ['native enc', 'native', 'encode'],
  ['native dec', 'native', 'decode'],
  ['Python enc', 'python', 'encode'],
  ['Python dec', 'python', 'decode'],
  ['reference enc', 'reference', 'encode'],
  ['reference dec', 'reference', 'decode'],
];

/** Two tables: nanoseconds a symbol as minimum / median, and the ratios of the minima. */
export function markdownTables(rows: readonly Row[]): string {
  const times = rows.map((row) => [
    `${row.latent} (${row.bitsPerSymbol})`,
    ...COLUMNS.map(([, contender, direction]) => {
      const found = row.times[contender]?.[direction];
      return found === undefined ? '-' : `${found.min} / ${found.median}`;
    }),
  ]);
  const ratios = rows.map((row) => {
    const [ofMinima, ofMedians] = [ratiosOf(row, 'min'), ratiosOf(row, 'median')];
    const cells = Object.keys(RATIOS).map((name) =>
      ofMinima[name] === null ? '-' : `${ofMinima[name]} / ${ofMedians[name]}`,
    );
    return [row.latent, ...cells];
  });
  return [
    markdownTable(['latent (bit/symbol)', ...COLUMNS.map(([title]) => title)], times),
    markdownTable(['latent', ...Object.keys(RATIOS)], ratios),
  ].join('\n\n');
}
