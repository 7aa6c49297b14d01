/** What exporters are given: one family a name, as Prometheus and OpenTelemetry both have it. */
export type Family = {
  /** In base units (seconds, bytes), which its name ends with. */
  readonly name: string;
  readonly help: string;
} & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly Sample[] }
  | { readonly type: 'histogram'; readonly distributions: readonly Distribution[] }
);

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface Distribution {
  readonly labels: Labels;
  /** Inclusive upper bounds of all buckets but the last, which has none. */
  readonly bounds: readonly number[];
  /** Of each bucket alone: one more than bounds. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
  /** By bucket. */
  readonly exemplars: readonly (Exemplar | undefined)[];
}

/** One observation that was traced. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  readonly timeUs: number;
}

/** Whatever counts; it is read when someone asks. */
export interface MetricSource {
  families(): readonly Family[];
}

/** Of all sources; families of one name become one. */
export function gather(sources: readonly MetricSource[]): readonly Family[] {
  const byName = new Map<string, Family>();
  for (const family of sources.flatMap((source) => source.families())) {
    const before = byName.get(family.name);
    byName.set(family.name, before === undefined ? family : join(before, family));
  }
  return [...byName.values()];
}

function join(a: Family, b: Family): Family {
  if (a.type === 'histogram' && b.type === 'histogram') {
    return { ...a, distributions: [...a.distributions, ...b.distributions] };
  }
  if (a.type !== 'histogram' && a.type === b.type) {
    return { ...a, samples: [...a.samples, ...b.samples] };
  }
  throw new Error(`${a.name} is a ${a.type} here and a ${b.type} there`);
}
