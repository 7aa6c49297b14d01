import { BRIDGE_LABELS, BRIDGE_METRICS } from '#consumers/bridge/telemetry.ts';
import { WALL_METRICS } from '#consumers/dashboard/telemetry.ts';
import { INFERENCE_METRICS } from '#consumers/inference/metric-tables.ts';
import { JOB_KIND_METRICS, JOB_WORKER_METRICS } from '#consumers/jobs/telemetry.ts';
import { HOOK_METRICS, WEBHOOK_WORKER_METRICS } from '#consumers/webhooks/telemetry.ts';
import { CONTROL_METRICS } from '#infra/control/telemetry.ts';
import { AGENT_METRICS } from '#producers/camera/metric-tables.ts';
import {
  describeQueues,
  describeTables,
  type MetricDescription,
} from '#runtime/metrics/describe.ts';
import { EXPORT_METRICS } from '#runtime/metrics/export-watch.ts';
import type { Family } from '#runtime/metrics/family.ts';
import type { MetricTables } from '#runtime/metrics/metrics.ts';
import { processMetrics } from '#runtime/metrics/process-metrics.ts';
import { SPAN_METRICS } from '#runtime/metrics/span-watch.ts';
import { unitOf } from '#runtime/metrics/unit.ts';

export interface ProcessMetrics {
  readonly title: string;
  readonly metrics: readonly MetricDescription[];
}

/** Everything that any process tells, out of the tables by which it counts. */
export function allMetrics(): readonly ProcessMetrics[] {
  return [
    {
      title: 'Camera agent',
      metrics: [...describeTables(AGENT_METRICS), ...describeQueues('agent')],
    },
    {
      title: 'Inference consumer',
      metrics: [...describeTables(INFERENCE_METRICS), ...describeQueues('inference')],
    },
    {
      title: 'Webhooks',
      metrics: [...describeTables(WEBHOOK_WORKER_METRICS), ...labelled(HOOK_METRICS, 'hook')],
    },
    { title: 'Bridge', metrics: labelled(BRIDGE_METRICS, ...BRIDGE_LABELS) },
    {
      title: 'Worker of jobs',
      metrics: [...describeTables(JOB_WORKER_METRICS), ...labelled(JOB_KIND_METRICS, 'kind')],
    },
    { title: 'Control API', metrics: describeTables(CONTROL_METRICS) },
    { title: 'Wall', metrics: describeTables(WALL_METRICS) },
    {
      title: 'Every process',
      metrics: [
        ...processMetrics('').families().map(described),
        ...describeTables(EXPORT_METRICS),
        ...describeTables(SPAN_METRICS),
      ],
    },
  ];
}

/** Of something that there are several of, told apart by labels. */
function labelled(tables: MetricTables, ...own: readonly string[]): readonly MetricDescription[] {
  return describeTables(tables).map((row) => ({ ...row, labels: [...own, ...row.labels] }));
}

function described(family: Family): MetricDescription {
  const { name, help, type } = family;
  const [first] = type === 'histogram' ? family.distributions : family.samples;
  return { name, help, type, unit: unitOf(name), labels: Object.keys(first?.labels ?? {}) };
}
