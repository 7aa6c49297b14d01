import type { Job } from '#consumers/jobs/job.ts';
import type { JobOrder } from '#consumers/jobs/order-fields.ts';
import { intervalText, type Schedule } from '#consumers/jobs/schedules.ts';
import { ageText } from '#consumers/subscriber/result-text.ts';
import { type Column, cut, textTable } from '#consumers/subscriber/text-table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'JOB' },
  { title: 'KIND' },
  { title: 'STATUS' },
  { title: 'ADDED (UTC)' },
  { title: 'TOOK', align: 'right' },
  { title: 'WHAT' },
];
/** Of what is said in a list; `show` and `--json` have all of it. */
const WHAT_WIDTH = 100;

/** A line a job. `older`: how many are not listed. */
export function listText(jobs: readonly Job[], older: number, nowMs: number): string {
  if (jobs.length === 0) return 'No job.\n';
  const lines = textTable(
    COLUMNS,
    jobs.map((job) => rowOf(job, nowMs)),
  );
  const more = older === 0 ? [] : [`${older} older jobs: see --limit`];
  return `${[...more, ...lines].join('\n')}\n`;
}

function rowOf(job: Job, nowMs: number): string[] {
  const { id, kind, status, addedMs } = job;
  return [
    id,
    kind,
    status,
    timeText(addedMs),
    tookText(job, nowMs),
    cut(whatText(job), WHAT_WIDTH),
  ];
}

/** How far it is, what came of it, or what is wrong. */
function whatText({ news, failure }: Job): string {
  return failure ?? news?.text ?? '';
}

/** Of its last run. */
function tookText({ status, startedMs, endedMs }: Job, nowMs: number): string {
  const isRunning = status === 'running' || status === 'pausing' || status === 'cancelling';
  const untilMs = endedMs ?? (isRunning ? nowMs : undefined);
  return startedMs === undefined || untilMs === undefined ? '-' : ageText(untilMs - startedMs);
}

/** `12:03:04 night running 1200 of 9000 frames read (13 %), ...` */
export function lineText(job: Job, nowMs: number): string {
  return `${timeText(nowMs).slice(11)} ${job.id} ${job.status} ${whatText(job)}`.trimEnd();
}

/** Everything about a job, a line a fact. */
export function showText(job: Job, nowMs: number): string {
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['job', job.id],
    ['kind', job.kind],
    ['order', orderText(job.order) || '-'],
    ['status', job.status],
    ['what', job.news?.text ?? '-'],
    ['failure', job.failure ?? '-'],
    ['added', timeText(job.addedMs)],
    ['started', job.startedMs === undefined ? '-' : timeText(job.startedMs)],
    ['ended', job.endedMs === undefined ? '-' : timeText(job.endedMs)],
    ['took', tookText(job, nowMs)],
    ['worker', job.worker ?? '-'],
    ['failures', String(job.failures)],
    ['lost', job.timesLost === 1 ? '1 time' : `${job.timesLost} times`],
  ];
  const width = Math.max(...facts.map(([name]) => name.length));
  return `${facts.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n`;
}

/** One line of NDJSON. */
export function jobJson(job: Job): string {
  const { news = null, failure = null, startedMs = null, endedMs = null, worker = null } = job;
  return `${JSON.stringify({ ...job, news, failure, startedMs, endedMs, worker })}\n`;
}

const SCHEDULE_COLUMNS: readonly Column[] = [
  { title: 'SCHEDULE' },
  { title: 'KIND' },
  { title: 'EVERY', align: 'right' },
  { title: 'NEXT (UTC)' },
  { title: 'ORDER' },
];

/** A line a schedule. */
export function schedulesText(schedules: readonly Schedule[]): string {
  if (schedules.length === 0) return 'No schedule.\n';
  const rows = schedules.map(({ id, kind, order, everyMs, nextMs }) => {
    const next = nextMs === undefined ? '-' : timeText(nextMs);
    return [id, kind, intervalText(everyMs), next, orderText(order)];
  });
  return `${textTable(SCHEDULE_COLUMNS, rows).join('\n')}\n`;
}

/** One line of NDJSON. */
export function scheduleJson(schedule: Schedule): string {
  return `${JSON.stringify({ ...schedule, nextMs: schedule.nextMs ?? null })}\n`;
}

function orderText(order: JobOrder): string {
  return Object.entries(order)
    .map(([field, value]) => `--${field} ${valueText(value)}`)
    .join(' ');
}

function valueText(value: unknown): string {
  return Array.isArray(value) ? value.join() : String(value);
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ');
}
