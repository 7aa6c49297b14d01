import { Type } from '@sinclair/typebox';
import type { LetterBook, LetterState } from '#consumers/dead-letters/letter-book.ts';
import { REDRIVE } from '#consumers/jobs/redrive-kind.ts';
import { type App, PROBLEMS } from './app.ts';
import { type JobDesk, JobView, jobView, orderSchema } from './jobs.ts';

export interface LetterDesk extends JobDesk {
  /** Everything on the dead-letter topic as it is now. */
  readonly readLetters: () => Promise<LetterBook>;
}

const CLOSED = { additionalProperties: false } as const;
const COMMON = { tags: ['dead letters'] };
const COUNTS = {
  ...{ open: Type.Integer(), redriven: Type.Integer(), discarded: Type.Integer() },
  unknown: Type.Integer({ description: 'Dealt with in a way that is newer than this program.' }),
};
const Time = Type.String({ format: 'date-time' });

const DeadLetters = Type.Object(
  {
    ...COUNTS,
    unreadable: Type.Integer({ description: 'Records that are no dead letters.' }),
    reasons: Type.Array(
      Type.Object({ reason: Type.String(), ...COUNTS, oldest: Time, newest: Time }, CLOSED),
      { description: 'Those with the most open letters first.' },
    ),
  },
  { ...CLOSED, title: 'DeadLetters' },
);

export function deadLetterRoutes(app: App, { readLetters, queue, audit }: LetterDesk): void {
  app.get(
    '/v1/dead-letters',
    {
      schema: {
        ...COMMON,
        operationId: 'getDeadLetters',
        summary: 'How many dead letters there are, by reason',
        description: 'Reads the topic to its end, which takes seconds.',
        response: { 200: DeadLetters, ...PROBLEMS },
      },
    },
    async () => summaryOf(await readLetters()),
  );
  app.post(
    '/v1/dead-letters/redrive',
    {
      schema: {
        ...COMMON,
        operationId: 'redriveDeadLetters',
        summary: 'Adds a job that puts letters back on the topic that they came from',
        body: Type.Record(Type.String(), Type.Unknown(), {
          allOf: [orderSchema(REDRIVE.name, REDRIVE.fields)],
        }),
        response: { 202: { ...JobView, description: 'The job was added.' }, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      const { job } = await queue.add(REDRIVE.name, request.body);
      audit(request, { what: 'job-added', subject: job.id, after: job.order });
      return reply.header('location', `/v1/jobs/${job.id}`).code(202).send(jobView(job));
    },
  );
}

interface Tally extends Record<LetterState, number> {
  readonly reason: string;
  oldestUs: number;
  newestUs: number;
}

function summaryOf(book: LetterBook) {
  const tallies = new Map<string, Tally>();
  for (const letter of book.matching({})) {
    const { reason, failedTimeUs } = letter;
    const times = { oldestUs: failedTimeUs, newestUs: failedTimeUs };
    const tally: Tally = tallies.get(reason) ?? { reason, ...NOTHING, ...times };
    tallies.set(reason, tally);
    tally[book.stateOf(letter)]++;
    tally.oldestUs = Math.min(tally.oldestUs, failedTimeUs);
    tally.newestUs = Math.max(tally.newestUs, failedTimeUs);
  }
  const all = [...tallies.values()];
  const total = (state: LetterState) => all.reduce((sum, tally) => sum + tally[state], 0);
  return {
    ...{ open: total('open'), redriven: total('redriven') },
    ...{ discarded: total('discarded'), unknown: total('unknown') },
    unreadable: book.unreadable,
    reasons: all
      .sort((a, b) => b.open - a.open || (a.reason < b.reason ? -1 : 1))
      .map(({ oldestUs, newestUs, ...counts }) => {
        return { ...counts, oldest: timeText(oldestUs), newest: timeText(newestUs) };
      }),
  };
}

const NOTHING = { open: 0, redriven: 0, discarded: 0, unknown: 0 };

function timeText(us: number): string {
  return new Date(us / 1000).toISOString();
}
