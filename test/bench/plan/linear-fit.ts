import { assert } from '#runtime/assert.ts';

/**
 * The factors from 0 by which the columns of `rows` come nearest to `values`, by least squares.
 * What would be below 0, because noise was larger than its share, is taken to cost nothing, and the
 * others are fitted again without it.
 */
export function fitFromZero(
  rows: readonly (readonly number[])[],
  values: readonly number[],
): number[] {
  const width = rows[0]?.length ?? 0;
  assert(rows.length >= width && rows.length === values.length, 'as many equations as unknowns');
  let columns = Array.from({ length: width }, (_, column) => column);
  while (columns.length > 0) {
    const solved = leastSquares(
      rows.map((row) => columns.map((column) => row[column] as number)),
      values,
    );
    const kept = columns.filter((_, index) => (solved[index] as number) >= 0);
    if (kept.length === columns.length) {
      return Array.from({ length: width }, (_, column) => solved[columns.indexOf(column)] ?? 0);
    }
    columns = kept;
  }
  return new Array<number>(width).fill(0);
}

/** Normal equations, by elimination with pivots; a handful of unknowns at most. */
function leastSquares(rows: readonly (readonly number[])[], values: readonly number[]): number[] {
  const size = rows[0]?.length ?? 0;
  const matrix = Array.from({ length: size }, (_, one) => [
    ...Array.from({ length: size }, (_, other) =>
      rows.reduce((sum, row) => sum + (row[one] as number) * (row[other] as number), 0),
    ),
    rows.reduce((sum, row, index) => sum + (row[one] as number) * (values[index] as number), 0),
  ]);
  for (let pivot = 0; pivot < size; pivot++) {
    const best = matrix
      .slice(pivot)
      .reduce((most, row) => (Math.abs(row[pivot] ?? 0) > Math.abs(most[pivot] ?? 0) ? row : most));
    matrix.splice(matrix.indexOf(best), 1);
    matrix.splice(pivot, 0, best);
    for (const row of matrix) {
      if (row === best) continue;
      const factor = (row[pivot] as number) / (best[pivot] as number);
      for (const [column, value] of best.entries())
        row[column] = (row[column] as number) - factor * value;
    }
  }
  return matrix.map((row, index) => (row[size] as number) / (row[index] as number));
}
