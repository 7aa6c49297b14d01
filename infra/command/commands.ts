import { HalfsightError } from '#runtime/errors.ts';
import { nearest } from './nearest.ts';

export interface Command {
  readonly name: string;
  readonly description: string;
  /** Loads its main.ts, which runs at once and reads what is left in `process.argv`. */
  readonly run: () => Promise<unknown>;
}

/** Every command of `npx halfsight`, in the order in which an operator meets them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'plan',
    description: 'partitions, brokers, disk, agents and consumers that a fleet needs',
    run: () => import('#infra/plan/main.ts'),
  },
  {
    name: 'cameras',
    description: 'adds, changes, lists and removes the cameras of a fleet while its agents run',
    run: () => import('#infra/fleet/main.ts'),
  },
  {
    name: 'heads',
    description: 'adds a head, compares it in shadow and switches to it while consumers run',
    run: () => import('#infra/heads/main.ts'),
  },
  {
    name: 'jobs',
    description: 'adds, watches, pauses and cancels jobs: backfills and others; or runs them',
    run: () => import('#infra/jobs/main.ts'),
  },
  {
    name: 'control',
    description: 'serves cameras, jobs, heads and dead letters over HTTP, for programs',
    run: () => import('#infra/control/main.ts'),
  },
  {
    name: 'topics',
    description: 'creates the topics, alters settings that differ, and says what it did',
    run: () => import('#infra/topics/main.ts'),
  },
  {
    name: 'acls',
    description: 'lets a user do what its role does on the topics, and nothing else',
    run: () => import('#infra/acls/main.ts'),
  },
  {
    name: 'follow',
    description: 'shows the results of a task as they come',
    run: () => import('#consumers/subscriber/follow-main.ts'),
  },
  {
    name: 'wall',
    description: 'serves a page that shows what every camera sees, and what is wrong',
    run: () => import('#consumers/dashboard/main.ts'),
  },
  {
    name: 'inspect',
    description: 'finds a frame on its topic, and says what is in it and where its bits went',
    run: () => import('#consumers/dashboard/inspect/main.ts'),
  },
  {
    name: 'export',
    description: 'writes results into a file: COCO, CSV, Parquet, ONVIF JSON or nv.Frame',
    run: () => import('#consumers/export/main.ts'),
  },
  {
    name: 'bridge',
    description: 'writes results, as they come, to a topic of others: ONVIF JSON or nv.Frame',
    run: () => import('#consumers/bridge/main.ts'),
  },
  {
    name: 'webhooks',
    description: 'lists, tests and resumes the hooks that results are sent to',
    run: () => import('#consumers/webhooks/command-main.ts'),
  },
  {
    name: 'balance',
    description: 'says what became of the frames of every camera; exit 1 if it does not add up',
    run: () => import('#consumers/subscriber/balance-main.ts'),
  },
  {
    name: 'dead-letters',
    description: 'lists, shows, redrives and discards frames that no consumer could read',
    run: () => import('#consumers/dead-letters/main.ts'),
  },
  {
    name: 'backfill',
    description: 'runs heads over frames that are stored; results on topics of their own',
    run: () => import('#consumers/jobs/backfill-main.ts'),
  },
  {
    name: 'completion',
    description: 'prints what makes bash complete these commands: source <(... completion bash)',
    run: async () => {
      const { completeCommands } = await import('./completion.ts');
      await completeCommands(COMMANDS.map(({ name }) => name));
    },
  },
];

/** The command, or `help`; throws `usage-invalid` for one that there is not. */
export function chooseCommand(args: readonly string[]): Command | 'help' {
  const [name] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return 'help';
  const command = COMMANDS.find((known) => known.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((known) => known.name);
  const near = nearest(name, names);
  throw new HalfsightError('usage-invalid', `there is no command "${name}".`, {
    advice: near === undefined ? `There are ${names.join(', ')}.` : `Is it ${near}?`,
  });
}

export function commandsText(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`);
  return `Usage: npx halfsight COMMAND [options]\n\n${lines.join('\n')}\n
npx halfsight COMMAND --help says more. Where Kafka and Redis are, the environment says (README.md);
npm start runs everything on this machine.\n`;
}
