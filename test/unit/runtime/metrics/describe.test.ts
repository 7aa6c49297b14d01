import { describe, expect, it } from 'vitest';
import { INFERENCE_METRICS } from '#consumers/inference/metric-tables.ts';
import { AGENT_METRICS } from '#producers/camera/metric-tables.ts';
import { describeQueues, describeTables } from '#runtime/metrics/describe.ts';
import type { MetricTables } from '#runtime/metrics/metrics.ts';

describe('describeTables', () => {
  it('has each family once, by name, with all its labels', () => {
    const described = describeTables(INFERENCE_METRICS);
    const names = described.map(({ name }) => name);
    expect(names).toEqual([...new Set(names)].toSorted());
    const row = (ending: string) => described.find(({ name }) => name.endsWith(ending));
    expect(row('_results_total')).toMatchObject({ type: 'counter', labels: ['status', 'task'] });
    expect(row('_lag_seconds')).toMatchObject({ type: 'gauge', unit: 's', labels: ['partition'] });
    expect(row('_fetched_bytes_total')).toMatchObject({ type: 'counter', unit: 'By' });
    expect(row('_head_seconds')).toMatchObject({ type: 'histogram', unit: 's' });
  });

  it.each<[string, MetricTables]>([
    ['agent', AGENT_METRICS],
    ['inference', INFERENCE_METRICS],
  ])('the names of %s follow the conventions', (process, tables) => {
    for (const { name, type, help, labels } of [
      ...describeTables(tables),
      ...describeQueues(process),
    ]) {
      expect(name).toMatch(new RegExp(`^halfsight_${process}_[a-z]+(_[a-z]+)*$`));
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
      expect(name, name).not.toMatch(/_(ms|milliseconds|kb|mb|count|sum|bucket)(_total)?$/);
      expect(help, name).toMatch(/^[A-Z].*\.$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+(_[a-z]+)*$/);
    }
  });
});
