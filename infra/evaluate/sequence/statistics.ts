/** Undefined where there is no value. */
export function mean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Undefined where there is no value. */
export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return mean(sorted.slice(Math.floor(middle), Math.ceil(middle) + 1));
}

/** Of a normal distribution, 95 % lie within so many standard deviations. */
const DEVIATIONS_95 = 1.96;

/**
 * Where the median of what the values are drawn from lies with 95 % confidence, whatever their
 * distribution: between the order statistics at (n -+ 1.96 sqrt(n)) / 2 (Conover, Practical
 * Nonparametric Statistics, 3.2). Of a few values it is their whole range.
 */
export function medianInterval(values: readonly number[]): readonly [number, number] | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const reach = DEVIATIONS_95 * Math.sqrt(sorted.length);
  const low = sorted[Math.max(0, Math.floor((sorted.length - reach) / 2) - 1)];
  const high = sorted[Math.min(sorted.length, Math.ceil((sorted.length + reach) / 2) + 1) - 1];
  return low === undefined || high === undefined ? undefined : [low, high];
}

/** For reports, where null is what was not measured. */
export function rounded(value: number | undefined, digits = 6): number | null {
  return value === undefined ? null : Number(value.toFixed(digits));
}
