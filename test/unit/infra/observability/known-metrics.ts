import { allMetrics } from '#infra/observability/tables.ts';

/** What Prometheus adds: whom a sample is of, what a scrape saw, and the alerts themselves. */
export const BY_PROMETHEUS = ['job', 'instance'];
const SYNTHETIC: ReadonlyMap<string, readonly string[]> = new Map([
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate']],
]);

function toldSeries(): ReadonlyMap<string, readonly string[]> {
  const metrics = allMetrics().flatMap((process) => process.metrics);
  const series = metrics.flatMap(({ name, type, labels }) => {
    if (type !== 'histogram') return [[name, labels] as const];
    return [
      [`${name}_bucket`, [...labels, 'le']] as const,
      [`${name}_sum`, labels] as const,
      [`${name}_count`, labels] as const,
    ];
  });
  return new Map([...SYNTHETIC, ...series]);
}

/** Labels of every series that the processes tell, by the name of the series. */
export const TOLD = toldSeries();

export function unknownNames(metrics: readonly string[]): readonly string[] {
  return metrics.filter((metric) => !TOLD.has(metric));
}

/** That series of these metrics may have. */
export function knownLabels(metrics: readonly string[]): ReadonlySet<string> {
  return new Set([...BY_PROMETHEUS, ...metrics.flatMap((metric) => TOLD.get(metric) ?? [])]);
}
