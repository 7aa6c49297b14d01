import { TASKS } from '#schemas/result.ts';
import type { ExportFormat } from '../format.ts';
import { type Cell, columnsOf, rowsOf } from './columns.ts';

/** RFC 4180, with a header, UTF-8, lines that end as those of Unix. */
export const CSV: ExportFormat = {
  name: 'csv',
  summary: 'CSV: a row for each thing found, and one for a frame in which nothing was',
  tasks: TASKS,
  open: async (file, task) => {
    const columns = columnsOf(task);
    await file.write(`${columns.map(({ name }) => name).join(',')}\n`);
    return {
      write: (result) => {
        const lines = rowsOf(result).map((row) => columns.map(({ cell }) => field(cell(row))));
        return file.write(lines.map((line) => `${line.join(',')}\n`).join(''));
      },
      finish: async () => undefined,
    };
  },
};

function field(cell: Cell): string {
  const text = String(cell ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
