import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MEASURES } from './comparisons.ts';
import { escapeMarkdown } from './markup.ts';
import { type FilePlot, pageOf } from './page.ts';
import { encoderPlot, MEASURE_NAMES, rateAccuracyPlot } from './plot.ts';
import {
  comparisonTable,
  markdownOf,
  provenanceOf,
  type Report,
  rowsTable,
  tradeOffTable,
} from './report.ts';

/** Writes report.json, report.md, report.html and the plots. */
export function writeReport(report: Report, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const write = (name: string, text: string) => writeFileSync(join(directory, name), `${text}\n`);
  const plots = plotsOf(report);
  write('report.json', JSON.stringify(report, null, 1));
  write('report.md', reportInMarkdown(report, plots));
  write('report.html', pageOf(report, plots));
  for (const { file, svg } of plots) write(file, svg);
  // This one is there even when it is empty: whoever looks for it should find out why.
  if (!plots.some(({ file }) => file === 'plot.svg')) {
    write('plot.svg', rateAccuracyPlot(report.rows, MEASURES[0], titleOf(report)));
  }
}

/** For each measure that some row has: bytes against it, and beside that SC2's trade-off. */
function plotsOf(report: Report): FilePlot[] {
  const { rows } = report;
  const title = titleOf(report);
  const bundles = bundleNames(report);
  return MEASURES.flatMap((measure) => {
    const measured = rows.filter((row) => row[measure] !== null);
    if (measured.length === 0) return [];
    const suffix = measure === MEASURES[0] ? '' : `-${measure}`;
    const name = MEASURE_NAMES[measure];
    const svg = rateAccuracyPlot(rows, measure, title, bundles);
    const rate = { file: `plot${suffix}.svg`, name: `${name} and bytes`, svg };
    if (tradeOffTable(measured).cells.length === 0) return [rate];
    const exr = encoderPlot(rows, measure, title, bundles);
    return [rate, { file: `plot-encoder${suffix}.svg`, name: `${name} and ExR`, svg: exr }];
  });
}

function titleOf({ bundle, n }: Report): string {
  return `${bundle.name}, n = ${n}`;
}

/** Those whose lines should stand out. */
function bundleNames({ bundle, rows }: Report): string[] {
  const counted = rows.filter(({ encoder }) => encoder !== null);
  return [bundle.name, ...counted.map(({ method }) => method)];
}

function reportInMarkdown(report: Report, plots: readonly FilePlot[]): string {
  const { bundle, n, notes, rows, failedPictures } = report;
  const compared = comparisonTable(report.comparisons);
  const tradeOff = tradeOffTable(rows);
  const list = (items: readonly string[]) =>
    items.map((item) => `- ${escapeMarkdown(item)}`).join('\n');
  const failed = failedPictures.map(({ name, reason }) => `${name}: ${reason}`);
  const section = (title: string, text: string, isEmpty: boolean) =>
    isEmpty ? [] : [`## ${title}`, text];
  return [
    `# ${escapeMarkdown(`${bundle.name} ${bundle.version} on ${n} pictures`)}`,
    escapeMarkdown(provenanceOf(report)),
    plots.map(({ file, name }) => `![${name}](${file})`).join('\n'),
    markdownOf(rowsTable(rows)),
    ...section('Bytes at equal accuracy', markdownOf(compared), compared.cells.length === 0),
    ...section("SC2's three metrics", markdownOf(tradeOff), tradeOff.cells.length === 0),
    ...section('Notes', list(notes), notes.length === 0),
    ...section('Pictures that were left out', list(failed), failed.length === 0),
  ].join('\n\n');
}
