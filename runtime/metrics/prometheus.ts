import { Gauge, Registry, type RegistryContentType } from 'prom-client';
import type { Exemplar, Family, Labels } from './family.ts';

export interface Rendered {
  readonly contentType: string;
  readonly text: string;
}

/**
 * What a scrape gets: OpenMetrics, with exemplars, for who accepts it (a Prometheus does), and else
 * Prometheus's own format, which has none.
 */
export async function renderMetrics(
  families: readonly Family[],
  accept: string | undefined,
): Promise<Rendered> {
  const contentType = wantsOpenMetrics(accept)
    ? Registry.OPENMETRICS_CONTENT_TYPE
    : Registry.PROMETHEUS_CONTENT_TYPE;
  const registry = new Registry<RegistryContentType>();
  registry.setContentType(contentType);
  for (const family of families) register(family, registry);
  return { contentType, text: await registry.metrics() };
}

/** Types in `accept` have weights; one that is as welcome as the other counts. */
export function wantsOpenMetrics(accept = ''): boolean {
  const weightOf = (type: string) => {
    const found = accept.split(',').find((one) => one.split(';')[0]?.trim() === type);
    if (found === undefined) return 0;
    const [, weight = '1'] = /;\s*q=([\d.]+)/.exec(found) ?? [];
    return Number(weight);
  };
  const wanted = weightOf('application/openmetrics-text');
  return wanted > 0 && wanted >= weightOf('text/plain');
}

function register(family: Family, registry: Registry<RegistryContentType>): void {
  const values = family.type === 'histogram' ? bucketValues(family) : family.samples;
  registry.registerMetric(new KnownMetric(family, values));
}

/** As prom-client's registry writes it. */
interface Value {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly exemplar?: {
    readonly labelSet: Labels;
    readonly value: number;
    /** Seconds since the Unix epoch. */
    readonly timestamp: number;
  };
}

/** prom-client is the writer of its formats here; what it writes was counted by us. */
class KnownMetric extends Gauge {
  readonly type: Family['type'];
  /** The registry takes the ending of a counter's away, where the format wants that. */
  name: string;
  readonly help: string;
  readonly #values: readonly Value[];

  constructor(
    { name, help, type }: Pick<Family, 'name' | 'help' | 'type'>,
    values: readonly Value[],
  ) {
    super({ name, help, registers: [] });
    this.name = name;
    this.help = help;
    this.type = type;
    this.#values = values;
  }

  override async get(): ReturnType<Gauge['get']> {
    const { name, help, type } = this;
    // Its types are those of a gauge only, and have numbers for the names of types.
    const written: unknown = { name, help, type, values: this.#values };
    return written as Awaited<ReturnType<Gauge['get']>>;
  }
}

function bucketValues({
  name,
  distributions,
}: Extract<Family, { readonly type: 'histogram' }>): readonly Value[] {
  return distributions.flatMap(({ labels, bounds, counts, sum, count, exemplars }) => {
    let upTo = 0;
    const buckets = counts.map((inBucket, index): Value => {
      upTo += inBucket;
      const value = {
        metricName: `${name}_bucket`,
        labels: { ...labels, le: bounds[index] ?? '+Inf' },
        value: upTo,
      };
      const exemplar = exemplars[index];
      return exemplar === undefined ? value : { ...value, exemplar: written(exemplar) };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  });
}

function written({ traceId, value, timeUs }: Exemplar): NonNullable<Value['exemplar']> {
  return { labelSet: { trace_id: traceId }, value, timestamp: timeUs / 1e6 };
}
