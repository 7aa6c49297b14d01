import { describe, expect, it } from 'vitest';
import type { Job } from '#consumers/jobs/job.ts';
import type { Fields, JobKind } from '#consumers/jobs/kind.ts';
import { type JobsCommand, readJobsArguments } from '#infra/jobs/arguments.ts';
import { type Desk, runJobsCommand } from '#infra/jobs/commands.ts';
import { VERB_USAGE, VERBS } from '#infra/jobs/usage.ts';
import { codeOf } from '#runtime/errors.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

const FIELDS = {
  file: { type: 'text', help: `where to, ${'word '.repeat(30)}`.trim(), required: true },
  cameras: { type: 'list', help: 'default: all' },
  all: { type: 'flag', help: 'everything' },
} as const satisfies Fields;

const KINDS: readonly JobKind[] = [
  {
    ...{ name: 'export', summary: 'writes results to a file', fields: FIELDS },
    run: () => Promise.reject(new Error('not here')),
  },
];

const NIGHT: Job = {
  ...{ id: 'night', kind: 'export', order: { file: 'a.json', cameras: ['gate', 'yard'] } },
  ...{ status: 'running', news: { text: '12 of 90', figures: { done: 12 } }, failure: undefined },
  ...{ addedMs: 0, startedMs: 60_000, endedMs: undefined, worker: 'host-7' },
  ...{ failures: 0, timesLost: 1 },
};

/** A desk with these jobs, and what was asked of its queue. */
function setUp(...jobs: readonly Job[]) {
  const time = new VirtualClock();
  const known = new Map(jobs.map((job) => [job.id, job]));
  const asked: string[] = [];
  let printed = '';
  const changing = (name: string, status: Job['status']) => async (id: string) => {
    asked.push(`${name} ${id}`);
    return { ...NIGHT, id, status };
  };
  const desk: Desk = {
    clock: time,
    stopping: new AbortController().signal,
    print: async (text) => {
      printed += text;
    },
    queue: {
      add: async (kind, order, id) => {
        asked.push(`add ${kind} ${id} ${JSON.stringify(order)}`);
        return { job: { ...NIGHT, status: 'paused' }, isNew: id === undefined };
      },
      list: async () => jobs as Job[],
      get: async (id) => known.get(id),
      pause: changing('pause', 'pausing'),
      resume: changing('resume', 'waiting'),
      cancel: changing('cancel', 'cancelled'),
      retry: changing('retry', 'waiting'),
      remove: async (id) => void asked.push(`remove ${id}`),
    },
    schedules: {
      put: async (kind, order, everyMs, id = 'made-up') => {
        asked.push(`schedule ${kind} ${id} ${everyMs} ${JSON.stringify(order)}`);
        return { id, kind, order, everyMs, nextMs: undefined };
      },
      list: async () => [
        { id: 'hourly', kind: 'export', order: { file: 'a' }, everyMs: 3_600_000, nextMs: 60_000 },
      ],
      remove: async (id) => void asked.push(`unschedule ${id}`),
    },
  };
  const type = async (line: string) => {
    printed = '';
    const command = readJobsArguments(line.split(' '), KINDS);
    if (command.verb === 'help') return command.text;
    const isFine = await time.drive(runJobsCommand(desk, command));
    return isFine ? printed : `${printed}(exit 1)`;
  };
  return { asked, time, known, type };
}

describe('npx halfsight jobs', () => {
  it('adds a job again and again', async () => {
    const { asked, type } = setUp();
    expect(await type('add export --file a --every 90m --id soon')).toBe('soon: every 90m.\n');
    expect(asked).toEqual(['schedule export soon 5400000 {"file":"a"}']);
    expect(await type('schedules')).toBe(
      'SCHEDULE  KIND    EVERY  NEXT (UTC)           ORDER\n' +
        'hourly    export     1h  1970-01-01 00:01:00  --file a\n',
    );
    expect(JSON.parse(await type('schedules --json'))).toMatchObject({ id: 'hourly' });
    expect(await type('unschedule hourly')).toBe('hourly: ended.\n');
    expect(asked.at(-1)).toBe('unschedule hourly');
  });

  it('add takes the fields of its kind', async () => {
    const { asked, type } = setUp();
    expect(await type('add export --file a.json --cameras gate,yard --all')).toBe(
      'night: added.\n',
    );
    expect(await type('add export --file a.json --id night')).toBe(
      'night: is there already, paused.\n',
    );
    expect(JSON.parse(await type('add export --file a.json --json'))).toMatchObject({
      ...{ id: 'night', endedMs: null, failure: null },
    });
    expect(asked).toEqual([
      'add export undefined {"file":"a.json","cameras":["gate","yard"],"all":true}',
      'add export night {"file":"a.json"}',
      'add export undefined {"file":"a.json"}',
    ]);
  });

  it('list shows the newest, in a status if one is named', async () => {
    const failed: Job = {
      ...{ ...NIGHT, id: 'day', status: 'failed', failure: 'bundle-missing: no bundle.' },
      endedMs: 61_500,
    };
    const { type } = setUp(failed, NIGHT);
    expect(await type('list')).toMatch(
      new RegExp(
        [
          '^JOB    KIND    STATUS   ADDED \\(UTC\\) +TOOK  WHAT',
          'day    export  failed   1970-01-01 00:00:00 +1.5 s  bundle-missing: no bundle.',
          'night  export  running  1970-01-01 00:00:00 +\\d+ min  12 of 90\n$',
        ].join('\n'),
      ),
    );
    expect(await type('list --status done')).toBe('No job.\n');
    expect(await type('list --limit 1')).toMatch(/^1 older jobs: see --limit\n.*\nnight .*\n$/);
    const lines = (await type('list --json')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).id)).toEqual(['day', 'night']);
  });

  it('show says everything, and follows until the job is over', async () => {
    const { type, time, known } = setUp(NIGHT);
    expect(await type('show night')).toMatch(
      /^job +night\nkind +export\norder +--file a.json --cameras gate,yard\nstatus +running\n/,
    );
    const shown = type('show night --follow');
    time.after(5_000, () => {
      known.set('night', { ...NIGHT, news: { text: '40 of 90', figures: {} } });
    });
    time.after(9_000, () => void known.set('night', { ...NIGHT, status: 'done', endedMs: 9 }));
    expect(await shown).toMatch(
      /lost +1 time\n\d\d:\d\d:\d\d night running 40 of 90\n\S+ night done 12 of 90\n$/,
    );
    known.set('night', { ...NIGHT, status: 'cancelled' });
    expect(await type('show night --follow --json')).toMatch(/^\{.*\}\n\(exit 1\)$/);
    await expect(type('show day')).rejects.toMatchObject({ code: 'job-missing' });
  });

  it('changes several jobs, one after the other', async () => {
    const { asked, type } = setUp();
    expect(await type('pause night day night')).toBe(
      'night: paused within seconds.\nday: paused within seconds.\n',
    );
    expect(await type('resume night')).toBe('night: resumed.\n');
    expect(await type('cancel night')).toBe('night: cancelled.\n');
    expect(await type('retry night')).toBe('night: to be tried again.\n');
    expect(await type('remove night')).toBe('night: removed.\n');
    expect(asked).toEqual([
      ...['pause night', 'pause day', 'resume night', 'cancel night', 'retry night'],
      'remove night',
    ]);
  });

  it('--help lists the kinds, and what a kind wants to know', async () => {
    const { type } = setUp();
    const all = await type('--help');
    expect(all).toContain('    export  writes results to a file\n');
    for (const verb of VERBS) expect(all).toContain(`\n  ${verb} `);
    expect(await type('add --help')).toBe(all);
    const kind = await type('add export --help');
    expect(kind).toContain('--cameras A,B  default: all\n');
    expect(kind).toMatch(
      /--file TEXT {4}where to, (word ){10,}word\n {17}(word )+word;?\s+needed\n/,
    );
    expect(Math.max(...kind.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    for (const [verb, text] of Object.entries(VERB_USAGE)) {
      expect(await type(`${verb} --help`)).toBe(text);
    }
  });

  it.each([
    ['lst', 'there is no command "lst"'],
    ['add', 'add takes the kind of job first: export.'],
    ['add --all', 'add takes the kind of job first: export.'],
    ['add import', 'there is no kind of job "import".'],
    ['add export a.json', 'add export takes no "a.json".'],
    ['add export --fps 3', "Unknown option '--fps'"],
    ['add export --file', "'--file <value>' argument missing"],
    ['list night', 'list takes no "night".'],
    ['list --status odd', '"odd" is no status: there are waiting, '],
    ['list --limit 0', '--limit'],
    ['show', 'show takes the id of one job.'],
    ['show night day', 'show takes the id of one job.'],
    ['pause', 'pause takes the ids of jobs.'],
    ['cancel --all', "Unknown option '--all'"],
    ['add export --file a --every 5s', '--every must be such as 10m, 1h or 2d, but is "5s".'],
    ['schedules night', 'schedules takes no "night".'],
    ['unschedule', 'unschedule takes the ids of jobs.'],
    ['work night', 'work takes no "night".'],
  ])('%s: %s', (line, message) => {
    const read = (): JobsCommand | unknown => readJobsArguments(line.split(' '), KINDS);
    expect(read).toThrow(message);
    try {
      read();
    } catch (error) {
      expect(codeOf(error)).toBe('usage-invalid');
    }
  });
});
