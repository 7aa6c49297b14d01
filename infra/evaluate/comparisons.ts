import type { Row } from './evaluate.ts';

export const MEASURES = ['mAP50', 'top1Agreement', 'mIoU'] as const;
export type Measure = (typeof MEASURES)[number];

/** What an opponent needs to be as good as one row of the bundle. */
export interface Comparison {
  readonly method: string;
  readonly setting: string;
  readonly measure: Measure;
  readonly value: number;
  readonly recordBytes: number;
  readonly opponent: string;
  /** Mean record bytes at equal value, on the opponent's best settings. Null: see `remark`. */
  readonly opponentBytes: number | null;
  /** The bundle's bytes over the opponent's. */
  readonly ratio: number | null;
  readonly remark: string;
}

/** What is paid, and what is had for it. */
export interface Point {
  readonly bytes: number;
  readonly value: number;
}

/**
 * For each row of the bundle and each other method: the bytes that it needs for equal accuracy,
 * between its best settings. Bytes count as records do, means over the pictures.
 */
export function compare(rows: readonly Row[], bundle: string): Comparison[] {
  const { own = [], others = [] } = Object.groupBy(rows, ({ method }) =>
    method === bundle ? 'own' : 'others',
  );
  const opponents = [...Map.groupBy(others, ({ method }) => method)];
  return own.flatMap((row) =>
    MEASURES.flatMap((measure) =>
      opponents.flatMap(([opponent, theirs]) => {
        const point = pointOf(row, measure);
        const points = theirs
          .map((each) => pointOf(each, measure))
          .filter((each) => each !== undefined);
        if (point === undefined || points.length === 0) return [];
        return [against(row, measure, point, opponent, frontier(points))];
      }),
    ),
  );
}

function pointOf({ recordBytes, ...row }: Row, measure: Measure): Point | undefined {
  const value = row[measure];
  return recordBytes === null || value === null ? undefined : { bytes: recordBytes.mean, value };
}

/** Settings that no other beats in both: fewest bytes first, each better than the one before. */
export function frontier(points: readonly Point[]): Point[] {
  const kept: Point[] = [];
  for (const point of [...points].sort((a, b) => a.bytes - b.bytes || b.value - a.value)) {
    if (point.value > (kept.at(-1)?.value ?? Number.NEGATIVE_INFINITY)) kept.push(point);
  }
  return kept;
}

function against(
  { method, setting }: Row,
  measure: Measure,
  { bytes, value }: Point,
  opponent: string,
  best: readonly Point[],
): Comparison {
  const title = { method, setting, measure, value, recordBytes: bytes, opponent };
  const above = best.findIndex((point) => point.value >= value);
  const high = best[above];
  const low = best[above - 1];
  if (high === undefined) {
    const remark = `never as good: at most ${best.at(-1)?.value.toFixed(3)}`;
    return { ...title, opponentBytes: null, ratio: null, remark };
  }
  if (low === undefined) {
    const remark = `better already at its fewest bytes, ${high.bytes}`;
    return { ...title, opponentBytes: null, ratio: null, remark };
  }
  // Between two settings accuracy goes with the logarithm of the bytes.
  const share = (value - low.value) / (high.value - low.value);
  const opponentBytes = Math.round(low.bytes * (high.bytes / low.bytes) ** share);
  const ratio = Number((bytes / opponentBytes).toFixed(3));
  return { ...title, opponentBytes, ratio, remark: '' };
}
