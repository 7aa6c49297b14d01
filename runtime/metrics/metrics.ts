import { defined } from '../assert.ts';
import { systemClock } from '../clock.ts';
import type { Family, Labels, MetricSource, Sample } from './family.ts';
import { Histogram } from './histogram.ts';

/** A name that is counted, as it is exported. */
export interface SeriesSpec {
  /** Prometheus's: `halfsight_<process>_<what>_<unit>`, and `_total` where it only grows. */
  readonly name: string;
  readonly help: string;
  /** That it always has. */
  readonly labels?: Labels;
  /** How many of what is counted make one of what is exported: 1000 for milliseconds. Default 1. */
  readonly perUnit?: number;
}

export interface HistogramSpec extends SeriesSpec {
  /** See BOUNDS. */
  readonly bounds: readonly number[];
}

export interface GaugeSpec extends SeriesSpec {
  /** Labels that each of its series has beside those; see `Metrics.series`. */
  readonly labelNames?: readonly string[];
}

/**
 * Everything that a process counts, by the names of its log line "figures": a name that is not here
 * does not compile. Gauges are read when someone asks; one whose name ends in `_total` is a counter
 * that is kept elsewhere.
 */
export interface MetricTables {
  readonly counters: Readonly<Record<string, SeriesSpec>>;
  readonly histograms: Readonly<Record<string, HistogramSpec>>;
  readonly gauges: Readonly<Record<string, GaugeSpec>>;
}

export type CounterNameOf<Tables extends MetricTables> = keyof Tables['counters'] & string;
type HistogramNameOf<Tables extends MetricTables> = keyof Tables['histograms'] & string;
type GaugeNameOf<Tables extends MetricTables> = keyof Tables['gauges'] & string;

export interface MetricsOptions {
  /** Of every series; what sets one of several in a process apart. */
  readonly labels?: Labels;
  readonly nowUs?: () => number;
}

/** Totals since the start of the process, and what is read when someone asks. */
export class Metrics<Tables extends MetricTables> implements MetricSource {
  readonly #tables: Tables;
  readonly #labels: Labels;
  readonly #counts = new Map<string, number>();
  readonly #histograms: ReadonlyMap<string, Histogram>;
  readonly #gauges = new Map<string, () => number>();
  readonly #series = new Map<string, () => Iterable<Sample>>();

  constructor(tables: Tables, { labels = {}, nowUs = defaultNowUs }: MetricsOptions = {}) {
    this.#tables = tables;
    this.#labels = labels;
    this.#histograms = new Map(
      Object.entries(tables.histograms).map(([name, spec]) => {
        const { bounds, perUnit = 1 } = spec;
        const own = { ...spec.labels, ...labels };
        return [name, new Histogram({ bounds, perUnit, labels: own, nowUs })];
      }),
    );
  }

  count(name: CounterNameOf<Tables>, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  /** What was counted so far. */
  total(name: CounterNameOf<Tables>): number {
    return this.#counts.get(name) ?? 0;
  }

  /** `traceparent` of what was observed, if it was sampled: an exemplar of its bucket. */
  observe(name: HistogramNameOf<Tables>, value: number, traceparent?: string): void {
    defined(this.#histograms.get(name), name).observe(value, traceparent);
  }

  /** The last one that was given counts. */
  gauge(name: GaugeNameOf<Tables>, read: () => number): void {
    this.#gauges.set(name, read);
  }

  /** A gauge with a value for each of several labels: exported, and not in the log. */
  series(name: GaugeNameOf<Tables>, read: () => Iterable<Sample>): void {
    this.#series.set(name, read);
  }

  /** For the log: gauges, what was counted, and the sums of histograms. */
  snapshot(): Record<string, number> {
    const gauges = [...this.#gauges].map(([name, read]) => [name, read()] as const);
    const counts = [...this.#counts].map(([name, count]) => [name, Math.round(count)] as const);
    const sums = [...this.#histograms]
      .filter(([, { sum }]) => sum !== 0)
      .map(([name, { sum }]) => [name, Math.round(sum)] as const);
    return Object.fromEntries([...gauges, ...counts, ...sums]);
  }

  /** Also of what was never counted: who waits for the first must see the zero before it. */
  families(): readonly Family[] {
    const { counters, histograms, gauges } = this.#tables;
    return [
      ...grouped(counters).map(([spec, names]): Family => {
        const samples = names.map((name) => this.#sample(counters, name, this.#counts.get(name)));
        return { ...familyOf(spec), type: 'counter', samples };
      }),
      ...grouped(histograms).map(([spec, names]): Family => {
        const read = (name: string) => defined(this.#histograms.get(name), name).read();
        return { ...familyOf(spec), type: 'histogram', distributions: names.map(read) };
      }),
      ...grouped(gauges).map(([spec, names]): Family => {
        const type = spec.name.endsWith('_total') ? 'counter' : 'gauge';
        return { ...familyOf(spec), type, samples: names.flatMap((name) => this.#readings(name)) };
      }),
    ];
  }

  #readings(name: string): Sample[] {
    const { gauges } = this.#tables;
    const read = this.#gauges.get(name);
    const series = this.#series.get(name);
    return [
      ...(read === undefined ? [] : [this.#sample(gauges, name, read())]),
      ...[...(series?.() ?? [])].map(({ labels, value }) => {
        return this.#sample(gauges, name, value, labels);
      }),
    ];
  }

  #sample(
    specs: Readonly<Record<string, SeriesSpec>>,
    name: string,
    counted = 0,
    labels: Labels = {},
  ): Sample {
    const { labels: fixed, perUnit = 1 } = defined(specs[name], name);
    return { labels: { ...fixed, ...this.#labels, ...labels }, value: counted / perUnit };
  }
}

const defaultNowUs = () => systemClock.nowUs();

/** Names of one family, with the spec of the first. */
function grouped<Spec extends SeriesSpec>(
  specs: Readonly<Record<string, Spec>>,
): readonly [Spec, readonly string[]][] {
  const groups = new Map<string, [Spec, string[]]>();
  for (const [name, spec] of Object.entries(specs)) {
    const group = groups.get(spec.name);
    if (group === undefined) groups.set(spec.name, [spec, [name]]);
    else group[1].push(name);
  }
  return [...groups.values()];
}

function familyOf({ name, help }: SeriesSpec): { readonly name: string; readonly help: string } {
  return { name, help };
}
