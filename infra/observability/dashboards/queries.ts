/** PromQL that charts have in common; `by` are the labels that tell series apart. */

/** Of the instances that a board's reader has chosen; PromQL's, without the braces. */
export const CHOSEN = 'instance=~"$instance"';

/** The series of a metric of those instances, and of what else they have to match. */
export function chosen(name: string, matching = ''): string {
  return `${name}{${[CHOSEN, matching].filter((part) => part !== '').join(',')}}`;
}

/** A second, over as long as a chart's resolution wants. */
export function rate(counter: string, by: readonly string[] = []): string {
  return `sum${grouping(by)} (rate(${counter}[$__rate_interval]))`;
}

/** How much of the one there is for each of the other; both are PromQL. */
export function share(part: string, whole: string): string {
  return `${part} / ${whole}`;
}

/** The largest, of those that are told apart by `by`. */
export function largest(gauge: string, by: readonly string[]): string {
  return `max${grouping(by)} (${gauge})`;
}

/** Those ten of which there is most. */
export function topTen(expression: string): string {
  return `topk(10, ${expression})`;
}

/** Below it is that share of what a histogram has observed. */
export function quantile(share: number, histogram: Selector, by: readonly string[] = []): string {
  return `histogram_quantile(${share}, ${rate(bucketsOf(histogram), [...by, 'le'])})`;
}

/** The middle and the slow ones of a histogram, by legend. */
export function percentiles(histogram: Selector): Readonly<Record<string, string>> {
  return { p50: quantile(0.5, histogram), p95: quantile(0.95, histogram) };
}

/** What one observation was, in the mean. */
export function mean(histogram: Selector): string {
  const part = (ending: string) => rate(`${histogram.name}_${ending}${matchers(histogram)}`);
  return share(part('sum'), part('count'));
}

export interface Selector {
  readonly name: string;
  /** PromQL's, without the braces; default: all series. */
  readonly matching?: string;
}

function bucketsOf(histogram: Selector): string {
  return `${histogram.name}_bucket${matchers(histogram)}`;
}

function matchers({ matching = '' }: Selector): string {
  return matching === '' ? '' : `{${matching}}`;
}

function grouping(by: readonly string[]): string {
  return by.length === 0 ? '' : ` by (${by.join(', ')})`;
}
