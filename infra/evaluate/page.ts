import { createHash } from 'node:crypto';
import { escapeMarkup } from './markup.ts';
import {
  comparisonTable,
  provenanceOf,
  type Report,
  rowsTable,
  type Table,
  tradeOffTable,
} from './report.ts';

/** A plot that has a file of its own, too. */
export interface FilePlot {
  readonly file: string;
  /** What it shows, in a few words. */
  readonly name: string;
  readonly svg: string;
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; }
body { max-width: 1500px; color: #222; background: #fff; overflow-wrap: anywhere; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots svg { flex: 1 1 520px; max-width: 100%; height: auto; }
.wide { overflow: auto; max-height: 90vh; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid #ddd; padding: 3px 8px; text-align: left; white-space: nowrap; }
th { white-space: normal; min-width: 2.6rem; overflow-wrap: normal; }
.number, .number button { text-align: right; }
td:is(:first-child, :last-child):not(.number) { white-space: normal; min-width: 9rem; }
th { position: sticky; top: 0; background: #fff; vertical-align: bottom; }
th button { font: inherit; border: 0; padding: 0; background: none; cursor: pointer; }
th[aria-sort=ascending] button::after { content: ' \\25b2'; }
th[aria-sort=descending] button::after { content: ' \\25bc'; }
`;

/**
 * A click on a column's head sorts by it, a second one the other way round. Cells that say nothing
 * are last both ways.
 */
const SCRIPT = `
const isEmpty = (text) => text === '' || text === '-';
const compare = (x, y) => {
  const difference = Number(x) - Number(y);
  return Number.isNaN(difference) ? x.localeCompare(y, 'en', { numeric: true }) : difference;
};
function sort(table, head) {
  const isUp = head.getAttribute('aria-sort') !== 'ascending';
  for (const other of head.parentNode.cells) other.setAttribute('aria-sort', 'none');
  head.setAttribute('aria-sort', isUp ? 'ascending' : 'descending');
  const value = (row) => row.cells[head.cellIndex].textContent;
  const order = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (isEmpty(x) || isEmpty(y)) return isEmpty(x) - isEmpty(y);
    return isUp ? compare(x, y) : compare(y, x);
  };
  const [body] = table.tBodies;
  body.append(...[...body.rows].sort(order));
}
for (const table of document.querySelectorAll('table')) {
  for (const head of table.tHead.rows[0].cells) {
    head.firstChild.addEventListener('click', () => sort(table, head));
  }
}
`;

/** Nothing is loaded from anywhere, and no other script runs, whatever a name may hold. */
const POLICY =
  `default-src 'none'; base-uri 'none'; form-action 'none';` +
  ` style-src '${digestOf(STYLE)}'; script-src '${digestOf(SCRIPT)}'`;

/** report.html: all of it in one file that needs nothing else. */
export function pageOf(report: Report, plots: readonly FilePlot[]): string {
  const { bundle, n, rows, comparisons, notes, failedPictures } = report;
  const title = escapeMarkup(`${bundle.name} ${bundle.version} on ${n} pictures`);
  const failed = failedPictures.map(({ name, reason }) => `${name}: ${reason}`);
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    '<meta name="viewport" content="width=device-width">',
    `<title>${title}</title><style>${STYLE}</style></head><body>`,
    `<h1>${title}</h1><p>${escapeMarkup(provenanceOf(report))}</p>`,
    `<div class="plots">${plots.map(({ svg }) => svg).join('\n')}</div>`,
    ...tableSection('All rows', rowsTable(rows)),
    ...tableSection('Bytes at equal accuracy', comparisonTable(comparisons)),
    ...tableSection("SC2's three metrics", tradeOffTable(rows)),
    ...listSection('Notes', notes),
    ...listSection('Pictures that were left out', failed),
    `<script>${SCRIPT}</script></body></html>`,
  ].join('\n');
}

function tableSection(title: string, { titles, cells }: Table): string[] {
  if (cells.length === 0) return [];
  const heads = titles.map((each, index) => {
    const kind = cells.every((line) => isNumber(line[index] ?? '')) ? NUMBER : '';
    const button = `<button type="button">${escapeMarkup(each)}</button>`;
    return `<th scope="col" aria-sort="none"${kind}>${button}</th>`;
  });
  const lines = cells.map((line) => `<tr>${line.map(cellHtml).join('')}</tr>`);
  return [
    `<h2>${title}</h2>`,
    `<div class="wide"><table><thead><tr>${heads.join('')}</tr></thead>`,
    `<tbody>${lines.join('\n')}</tbody></table></div>`,
  ];
}

const NUMBER = ' class="number"';

function cellHtml(text: string): string {
  return `<td${isNumber(text) ? NUMBER : ''}>${escapeMarkup(text)}</td>`;
}

function isNumber(text: string): boolean {
  return /^(-|[\d.]+)$/.test(text);
}

function listSection(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const list = items.map((item) => `<li>${escapeMarkup(item)}</li>`).join('\n');
  return [`<h2>${title}</h2>`, `<ul>${list}</ul>`];
}

function digestOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
