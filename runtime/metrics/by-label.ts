import type { SeriesSpec } from './metrics.ts';

/**
 * Rows of a table for names that are one family: `PREFIX-VALUE` is counted, and exported with the
 * label `label="VALUE"`.
 */
export function byLabel<
  const Prefix extends string,
  const Value extends string,
  Spec extends SeriesSpec,
>(
  prefix: Prefix,
  label: string,
  values: readonly Value[],
  spec: Spec,
): Readonly<Record<`${Prefix}-${Value}`, Spec>> {
  const rows = values.map((value) => {
    return [`${prefix}-${value}`, { ...spec, labels: { ...spec.labels, [label]: value } }];
  });
  return Object.fromEntries(rows) as Record<`${Prefix}-${Value}`, Spec>;
}
