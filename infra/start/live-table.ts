import { ageText } from '#consumers/subscriber/result-text.ts';
import { type Column, cut, textTable } from '#consumers/subscriber/text-table.ts';
import type { Task } from '#schemas/result.ts';
import type { CameraRow } from './live.ts';

const COLUMNS: readonly Column[] = [
  { title: 'camera' },
  { title: 'state' },
  { title: 'fps', align: 'right' },
  { title: 'KB/frame', align: 'right' },
  { title: 'dropped', align: 'right' },
  { title: 'age p50', align: 'right' },
  { title: 'p95', align: 'right' },
];

/** Below it, columns of tasks would be too narrow to say anything. */
const TASK_COLUMNS_MIN = 14;

/** The live table, no wider than the terminal and no higher than `rowsMax` cameras. */
export function renderLive(
  rows: readonly CameraRow[],
  tasks: readonly Task[],
  width: number,
  rowsMax: number = Number.POSITIVE_INFINITY,
): string[] {
  const shown = rows.slice(0, Math.max(1, rowsMax));
  const figures = textTable(COLUMNS, shown.map(figuresOf));
  const widthOfFigures = Math.max(...figures.map((line) => line.length));
  const free = width - widthOfFigures - 2 * tasks.length;
  const taskWidth = Math.max(TASK_COLUMNS_MIN, Math.floor(free / Math.max(1, tasks.length)));
  const seen = textTable(
    tasks.map((title) => ({ title })),
    shown.map((row) => tasks.map((task) => cut(row.seen.get(task) ?? '-', taskWidth))),
  );
  const lines = figures.map((line, index) =>
    cut(`${line.padEnd(widthOfFigures)}  ${seen[index] ?? ''}`.trimEnd(), width),
  );
  const hidden = rows.length - shown.length;
  return hidden > 0 ? [...lines, `... and ${hidden} more cameras`] : lines;
}

/** One line for a log file: everything of one camera. */
export function plainLine(row: CameraRow, tasks: readonly Task[]): string {
  const [cameraId, state, fps, kilobytes, dropped, p50, p95] = figuresOf(row);
  const seen = tasks.map((task) => `${task}: ${row.seen.get(task) ?? '-'}`);
  const figures = `${fps} fps  ${kilobytes} KB/frame  ${dropped} dropped  age ${p50} (p95 ${p95})`;
  return [`${cameraId}  ${state}  ${figures}`, ...seen].join('  ');
}

function figuresOf(row: CameraRow): string[] {
  return [
    row.cameraId,
    row.state,
    row.framesPerSecond.toFixed(1),
    row.kilobytesPerFrame === undefined ? '-' : row.kilobytesPerFrame.toFixed(1),
    String(row.dropped),
    row.ageMs === undefined ? '-' : ageText(row.ageMs.p50),
    row.ageMs === undefined ? '-' : ageText(row.ageMs.p95),
  ];
}
