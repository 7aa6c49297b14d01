import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { Schedules } from '#consumers/jobs/schedules.ts';
import { print } from '#consumers/subscriber/print.ts';
import { systemClock } from '#runtime/clock.ts';
import { runCommand } from '#runtime/command.ts';
import { readEnvironment, redisSettings } from '#runtime/settings.ts';
import { type JobsRequest, readJobsArguments } from './arguments.ts';
import { runJobsCommand } from './commands.ts';

/** `npx halfsight jobs`: see jobsUsage. `work` is a process of its own. */
if (process.argv[2] === 'work' && process.argv.length === 3) {
  await import('#consumers/jobs/main.ts');
}
await runCommand((args, stopping) => run(readJobsArguments(args, KINDS), stopping));

async function run(command: JobsRequest, stopping: AbortSignal): Promise<boolean> {
  if (command.verb === 'help') {
    await print(command.text);
    return true;
  }
  const environment = readEnvironment();
  const redis = redisSettings(environment);
  const clock = systemClock;
  const place = { redis, prefix: environment.topicPrefix, kinds: KINDS, clock };
  const queue = new JobQueue(place);
  const schedules = new Schedules(place);
  try {
    return await runJobsCommand({ queue, schedules, clock, print, stopping }, command);
  } finally {
    queue.close();
    schedules.close();
  }
}
