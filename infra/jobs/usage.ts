import type { Field, JobKind } from '#consumers/jobs/kind.ts';

/** In the order in which an operator meets them. */
export const VERBS = [
  ...(['add', 'list', 'show', 'pause', 'resume', 'cancel', 'retry', 'remove'] as const),
  ...(['schedules', 'unschedule', 'work'] as const),
] as const;
export type Verb = (typeof VERBS)[number];

export const LIST_LIMIT = 50;

const COLUMNS = 100;

/** What is typed for a value of a field. */
const VALUES: Readonly<Record<Field['type'], string>> = {
  text: ' TEXT',
  list: ' A,B',
  time: ' TIME',
  number: ' N',
  count: ' N',
  flag: '',
};

export function jobsUsage(kinds: readonly JobKind[]): string {
  const width = Math.max(...kinds.map(({ name }) => name.length));
  const lines = kinds.map(({ name, summary }) => `    ${name.padEnd(width)}  ${summary}`);
  return `\
Usage: npx halfsight jobs COMMAND [options]

Work that workers (npm run jobs) do beside live traffic, one job at a time each. A job goes on where
it was after its worker was stopped or killed.

  add         adds a job, of one of these kinds:
${lines.join('\n')}
  list        all jobs, those over within the last two weeks included
  show        everything about one job
  pause       lets jobs rest, until they are resumed
  resume      goes on with jobs that were paused
  cancel      ends jobs; what they have done remains
  retry       goes on with jobs that failed or were cancelled
  remove      forgets jobs that are not running
  schedules   lists what is added again and again (jobs add KIND --every 1h)
  unschedule  ends schedules; their jobs remain
  work        runs a worker, as npm run jobs does

npx halfsight jobs COMMAND --help says more, and jobs add KIND --help what a kind wants to know. All
talk to Redis directly: REDIS_URL says where it is, and KAFKA_TOPIC_PREFIX which installation is
meant. Exit code 1: it was not done; 2: the arguments or the environment are wrong.
`;
}

/** What \`jobs add KIND --help\` says: a line or more for each field of its order. */
export function kindUsage({ name, summary, fields }: JobKind): string {
  const own = Object.entries(fields).map(([field, { type, help, required }]) => {
    return [`--${field}${VALUES[type]}`, required ? `${help}; needed` : help] as const;
  });
  const all: readonly (readonly [option: string, help: string])[] = [
    ...own,
    ['--id ID', 'names the job; default: one is made up'],
    ['--every TIME', 'adds it again and again, such as 10m, 1h or 2d; --id names the schedule'],
    ['--json', ''],
    ['--help', ''],
  ];
  const width = Math.max(...all.map(([option]) => option.length));
  const lines = all.map(([option, help]) => {
    const wrapped = wrap(help, COLUMNS - width - 4).join(`\n${' '.repeat(width + 4)}`);
    return `  ${option.padEnd(width)}  ${wrapped}`.trimEnd();
  });
  return `\
Usage: npx halfsight jobs add ${name} [options]

${capital(summary)}.

${lines.join('\n')}

Added again with the same id and the same options it is left as it is. Times are written as
2026-11-28T20:00:00Z.
`;
}

function wrap(text: string, columns: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** What `jobs COMMAND --help` says. */
export const VERB_USAGE: Readonly<Record<Exclude<Verb, 'add'>, string>> = {
  list: `\
Usage: npx halfsight jobs list [--status NAME] [--limit N] [--json]

One line a job, newest last: its status, how far it is or what came of it, or why it failed.

  --status NAME  only jobs in this status
  --limit N      the newest N, ${LIST_LIMIT} unless given
  --json         a JSON object a line
`,
  show: `\
Usage: npx halfsight jobs show ID [--follow] [--json]

Everything about one job.

  --follow  then a line whenever something has changed, until the job is over; exit code 1 unless it
            is done
  --json
`,
  pause: `\
Usage: npx halfsight jobs pause ID ...

Lets jobs rest until they are resumed. A worker lets go of a running one within seconds, and takes
up the next job.
`,
  resume: `\
Usage: npx halfsight jobs resume ID ...

Goes on with jobs that were paused, as soon as a worker is free.
`,
  cancel: `\
Usage: npx halfsight jobs cancel ID ...

Ends jobs. What they have done remains, and retry goes on with them.
`,
  retry: `\
Usage: npx halfsight jobs retry ID ...

Goes on with jobs that failed or were cancelled; those that wait for another try get it at once.
`,
  remove: `\
Usage: npx halfsight jobs remove ID ...

Forgets jobs that are not running. What they have done remains.
`,
  schedules: `\
Usage: npx halfsight jobs schedules [--json]

One line a schedule: what is added, how often, and when next.
`,
  unschedule: `\
Usage: npx halfsight jobs unschedule ID ...

Ends schedules. A job of theirs that is running goes on.
`,
  work: `\
Usage: npx halfsight jobs work

Runs jobs until it is stopped; settings come from the environment, as those of an inference consumer
do. SIGTERM lets go of the job under way, which the next worker takes up.
`,
};
