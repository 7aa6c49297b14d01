/** A table in Markdown, with the columns aligned for a terminal. */
export function markdownTable<Row>(
  rows: readonly Row[],
  columns: readonly (readonly [title: string, cell: (row: Row) => string])[],
): string {
  const titles = columns.map(([title]) => title);
  const lines = rows.map((row) => columns.map(([, cell]) => plain(cell(row))));
  const widths = titles.map((title, index) =>
    Math.max(title.length, ...lines.map((line) => line[index]?.length ?? 0)),
  );
  const pad = (line: readonly string[]) =>
    line.map((cell, index) => (index === line.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)));
  return [titles, titles.map((title) => '-'.repeat(title.length)), ...lines]
    .map((line) => `| ${pad(line).join(' | ')} |`)
    .join('\n');
}

function plain(cell: string): string {
  return cell.replaceAll(/\s+/g, ' ').replaceAll('|', '/');
}

/** With as many digits as asked for; "-" for what was not measured. */
export function numberCell(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? '-' : value.toFixed(digits);
}
