import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MEASURES } from './comparisons.ts';
import { pageOf } from './page.ts';
import { encoderPlot, rateAccuracyPlot } from './plot.ts';
import { comparisonCells, markdownTable, provenanceOf, type Report, tableOf } from './report.ts';

/** Writes report.json, report.md, report.html and the plots. */
export function writeReport(report: Report, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), `${text}\n`);
  const plots = plotsOf(report);
  write('report.json', JSON.stringify(report, null, 1));
  write('report.md', markdownOf(report, [...plots.keys()]));
  write('report.html', pageOf(report, [...plots.values()]));
  for (const [name, plot] of plots) write(name, plot);
}

/** One picture for each measure that some row has, and SC2's trade-off. */
export function plotsOf({ rows, bundle, n }: Report): Map<string, string> {
  const title = `${bundle.name}, n = ${n}`;
  const plots = new Map<string, string>();
  for (const measure of MEASURES) {
    // The first is there even when it is empty: whoever looks for it should find out why.
    if (measure !== MEASURES[0] && rows.every((row) => row[measure] === null)) continue;
    const name = measure === MEASURES[0] ? 'plot' : `plot-${measure}`;
    plots.set(`${name}.svg`, rateAccuracyPlot(rows, measure, title));
  }
  const measured = MEASURES.find((measure) =>
    rows.some((row) => row.encoder !== null && row[measure] !== null),
  );
  if (measured !== undefined) plots.set('plot-encoder.svg', encoderPlot(rows, measured, title));
  return plots;
}

function markdownOf(report: Report, plots: readonly string[]): string {
  const { bundle, n, comparisons } = report;
  const { titles, cells } = comparisonCells(comparisons);
  const failed = report.failedPictures.map(({ name, reason }) => `- ${name}: ${reason}`);
  return [
    `# ${bundle.name} ${bundle.version} on ${n} pictures`,
    provenanceOf(report),
    plots.map((name) => `![](${name})`).join('\n'),
    tableOf(report.rows),
    ...(cells.length === 0 ? [] : ['## Bytes at equal accuracy', markdownTable(titles, cells)]),
    '## Notes',
    report.notes.map((note) => `- ${note}`).join('\n'),
    ...(failed.length === 0 ? [] : ['Pictures that were left out:', failed.join('\n')]),
  ].join('\n\n');
}
