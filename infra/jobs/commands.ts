import type { Job, JobStatus } from '#consumers/jobs/job.ts';
import { type JobQueue, missingJob } from '#consumers/jobs/job-queue.ts';
import { intervalText, type Schedules } from '#consumers/jobs/schedules.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { ChangeVerb, JobsCommand } from './arguments.ts';
import { jobJson, lineText, listText, scheduleJson, schedulesText, showText } from './text.ts';

export interface Desk {
  readonly queue: Pick<JobQueue, 'add' | 'list' | 'get' | ChangeVerb>;
  readonly schedules: Pick<Schedules, 'put' | 'list' | 'remove'>;
  readonly clock: Clock;
  readonly print: (text: string) => Promise<void>;
  readonly stopping: AbortSignal;
}

const OVER: readonly JobStatus[] = ['done', 'failed', 'cancelled'];

/** Does what the operator said; throws where it could not be done. False: a followed job failed. */
export async function runJobsCommand(desk: Desk, command: JobsCommand): Promise<boolean> {
  switch (command.verb) {
    case 'add':
      await add(desk, command);
      return true;
    case 'list':
      await list(desk, command);
      return true;
    case 'show':
      return show(desk, command);
    case 'schedule':
      await schedule(desk, command);
      return true;
    case 'schedules': {
      const all = await desk.schedules.list();
      await desk.print(command.json ? all.map(scheduleJson).join('') : schedulesText(all));
      return true;
    }
    case 'unschedule':
      for (const id of command.ids) {
        await desk.schedules.remove(id);
        await desk.print(`${id}: ended.\n`);
      }
      return true;
    default:
      for (const id of command.ids) await change(desk, command.verb, id);
      return true;
  }
}

async function add(
  { queue, print }: Desk,
  { kind, order, id, json }: Extract<JobsCommand, { readonly verb: 'add' }>,
): Promise<void> {
  const { job, isNew } = await queue.add(kind, order, id);
  if (json) return print(jobJson(job));
  await print(`${job.id}: ${isNew ? 'added' : `is there already, ${job.status}`}.\n`);
}

async function schedule(
  { schedules, print }: Desk,
  { kind, order, everyMs, id, json }: Extract<JobsCommand, { readonly verb: 'schedule' }>,
): Promise<void> {
  const put = await schedules.put(kind, order, everyMs, id);
  await print(json ? scheduleJson(put) : `${put.id}: every ${intervalText(everyMs)}.\n`);
}

async function list(
  { queue, clock, print }: Desk,
  { status, limit, json }: Extract<JobsCommand, { readonly verb: 'list' }>,
): Promise<void> {
  const all = await queue.list();
  const matching = all.filter((job) => status === undefined || job.status === status);
  const listed = matching.slice(-limit);
  const older = matching.length - listed.length;
  await print(json ? listed.map(jobJson).join('') : listText(listed, older, nowMs(clock)));
}

async function show(
  desk: Desk,
  { id, follow, json }: Extract<JobsCommand, { readonly verb: 'show' }>,
): Promise<boolean> {
  const { clock, print, stopping } = desk;
  let job = await find(desk, id);
  await print(json ? jobJson(job) : showText(job, nowMs(clock)));
  if (!follow) return true;
  while (!OVER.includes(job.status) && !stopping.aborted) {
    await clock.sleep(LIMITS.jobWishIntervalMs, stopping);
    const former = jobJson(job);
    job = await find(desk, id);
    if (jobJson(job) === former) continue;
    await print(json ? jobJson(job) : `${lineText(job, nowMs(clock))}\n`);
  }
  return job.status === 'done';
}

/** What has become of it, in a word. */
const CHANGED: Readonly<Record<Exclude<ChangeVerb, 'remove'>, string>> = {
  pause: 'paused',
  resume: 'resumed',
  cancel: 'cancelled',
  retry: 'to be tried again',
};

async function change({ queue, print }: Desk, verb: ChangeVerb, id: string): Promise<void> {
  if (verb === 'remove') {
    await queue.remove(id);
    return print(`${id}: removed.\n`);
  }
  const { status } = await queue[verb](id);
  const isLeaving = status === 'pausing' || status === 'cancelling';
  const when = isLeaving ? ' within seconds' : '';
  await print(`${id}: ${CHANGED[verb]}${when}.\n`);
}

async function find({ queue }: Desk, id: string): Promise<Job> {
  const job = await queue.get(id);
  if (job !== undefined) return job;
  throw missingJob(id);
}

function nowMs(clock: Clock): number {
  return Math.floor(clock.nowUs() / 1000);
}
