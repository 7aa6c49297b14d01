import { cellsOf, comparisonCells, provenanceOf, type Report } from './report.ts';

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; }
body { max-width: 1400px; }
table { border-collapse: collapse; font-size: 13px; }
th, td { border-bottom: 1px solid #ddd; padding: 3px 8px; text-align: left; white-space: nowrap; }
td:last-child { white-space: normal; }
th { cursor: pointer; position: sticky; top: 0; background: #fff; vertical-align: bottom; }
.wide { overflow-x: auto; }
`;

/** A click on a column's head sorts by it; a second one the other way round. */
const SCRIPT = `
for (const head of document.querySelectorAll('th')) head.addEventListener('click', () => {
  const body = head.closest('table').tBodies[0];
  const column = head.cellIndex;
  const sign = head.ariaSort === 'ascending' ? -1 : 1;
  for (const other of head.parentNode.cells) other.ariaSort = 'none';
  head.ariaSort = sign === 1 ? 'ascending' : 'descending';
  const value = (row) => row.cells[column].textContent;
  const order = (a, b) => {
    const [x, y] = [Number.parseFloat(value(a)), Number.parseFloat(value(b))];
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
    return sign * (Number.isNaN(x) ? value(a).localeCompare(value(b)) : x - y);
  };
  body.append(...[...body.rows].sort(order));
});
`;

/** report.html: all of it in one file that needs nothing else. */
export function pageOf(report: Report, plots: readonly string[]): string {
  const { bundle, n, rows, comparisons, notes, failedPictures } = report;
  const title = escapeHtml(`${bundle.name} ${bundle.version} on ${n} pictures`);
  const failed = failedPictures.map(({ name, reason }) => `${name}: ${reason}`);
  const compared = comparisonCells(comparisons);
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><title>${title}</title>`,
    `<style>${STYLE}</style></head><body>`,
    `<h1>${title}</h1><p>${escapeHtml(provenanceOf(report))}</p>`,
    ...plots,
    '<h2>All rows</h2>',
    tableHtml(cellsOf(rows)),
    ...(comparisons.length === 0 ? [] : ['<h2>Bytes at equal accuracy</h2>', tableHtml(compared)]),
    '<h2>Notes</h2>',
    listHtml(notes),
    ...(failed.length === 0 ? [] : ['<h2>Pictures that were left out</h2>', listHtml(failed)]),
    `<script>${SCRIPT}</script></body></html>`,
  ].join('\n');
}

function tableHtml(table: {
  readonly titles: readonly string[];
  readonly cells: readonly (readonly string[])[];
}): string {
  const row = (values: readonly string[], tag: string) =>
    `<tr>${values.map((value) => `<${tag}>${escapeHtml(value)}</${tag}>`).join('')}</tr>`;
  const body = table.cells.map((values) => row(values, 'td')).join('\n');
  const head = row(table.titles, 'th');
  return `<div class="wide"><table><thead>${head}</thead><tbody>${body}</tbody></table></div>`;
}

function listHtml(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${escapeHtml(item)}</li>`).join('\n')}</ul>`;
}

/** Names come from bundles and folders, which anybody may have made. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
