import { type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import type { Distribution, Family, Labels } from './family.ts';
import { unitOf } from './unit.ts';

/** From when to when was counted, both microseconds since the Unix epoch. */
export interface Interval {
  readonly startUs: number;
  readonly endUs: number;
}

/** What OpenTelemetry's exporters take, of our counts. Names and labels are those of Prometheus. */
export function metricData(families: readonly Family[], interval: Interval): MetricData[] {
  const times = { startTime: toHrTime(interval.startUs), endTime: toHrTime(interval.endUs) };
  const point = <T>(attributes: Labels, value: T): DataPoint<T> => ({
    ...times,
    ...{ attributes, value },
  });
  return families.map((family): MetricData => {
    const { name, help: description } = family;
    const common = {
      descriptor: { name, description, unit: unitOf(name), valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    };
    if (family.type === 'histogram') {
      const dataPoints = family.distributions.map((one) => point(one.labels, histogramOf(one)));
      return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    const dataPoints = family.samples.map(({ labels, value }) => point(labels, value));
    return family.type === 'gauge'
      ? { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
      : { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  });
}

function histogramOf({ bounds, counts, sum, count }: Distribution) {
  return { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count };
}

function toHrTime(timeUs: number): HrTime {
  const seconds = Math.floor(timeUs / 1e6);
  return [seconds, Math.round((timeUs - seconds * 1e6) * 1000)];
}
