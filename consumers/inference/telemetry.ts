import type { Family } from '#runtime/metrics/family.ts';
import { type CounterNameOf, Metrics } from '#runtime/metrics/metrics.ts';
import { QueueMetrics } from '#runtime/metrics/queues.ts';
import { INFERENCE_METRICS } from './metric-tables.ts';

export type CounterName = CounterNameOf<typeof INFERENCE_METRICS>;

/** What an inference consumer counted since it started, and how long its queues are. */
export class Telemetry extends Metrics<typeof INFERENCE_METRICS> {
  readonly queues = new QueueMetrics('inference');

  constructor() {
    super(INFERENCE_METRICS);
  }

  override families(): readonly Family[] {
    return [...super.families(), ...this.queues.families()];
  }
}
