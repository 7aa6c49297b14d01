/** Totals of a consumer as it logs them, by the name of the counter. */
export type ConsumerFigures = Readonly<Record<string, unknown>>;

/** The last figures in a consumer's log of JSON lines; undefined where there are none. */
export function lastFigures(log: string): ConsumerFigures | undefined {
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  return lines
    .map((line) => JSON.parse(line) as ConsumerFigures)
    .findLast(({ event }) => event === 'figures');
}

/** Milliseconds that a batch took in the engine, body and all heads, on average. */
export function engineMsPerBatch(figures: ConsumerFigures): number {
  const sum = (pattern: RegExp) =>
    Object.entries(figures)
      .filter(([name]) => pattern.test(name))
      .reduce((total, [, value]) => total + Number(value), 0);
  return sum(/^(body-ms|head-ms-)/) / sum(/^batch-closed-/);
}
