import type { GaugeSpec, MetricTables } from './metrics.ts';
import { QUEUE_FAMILIES } from './queues.ts';
import { unitOf } from './unit.ts';

/** A row of a list of metrics, for people. */
export interface MetricDescription {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: string;
  /** Names of its labels. */
  readonly labels: readonly string[];
  readonly help: string;
}

/** Each family of the tables once, by name. */
export function describeTables(tables: MetricTables): readonly MetricDescription[] {
  const rows = new Map<string, MetricDescription>();
  const add = (type: MetricDescription['type'], spec: GaugeSpec) => {
    const { name, help, labels = {}, labelNames = [] } = spec;
    rows.set(name, {
      name,
      type,
      unit: unitOf(name),
      labels: [...Object.keys(labels), ...labelNames],
      help,
    });
  };
  for (const spec of Object.values(tables.counters)) add('counter', spec);
  for (const spec of Object.values(tables.histograms)) add('histogram', spec);
  for (const spec of Object.values(tables.gauges)) {
    add(spec.name.endsWith('_total') ? 'counter' : 'gauge', spec);
  }
  return [...rows.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The families of the queues of a process. */
export function describeQueues(process: string): readonly MetricDescription[] {
  return QUEUE_FAMILIES.map(({ name: ending, type, help }) => {
    const name = `halfsight_${process}_queue_${ending}`;
    return { name, type, unit: unitOf(name), labels: ['queue'], help };
  });
}
