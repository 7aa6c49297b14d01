import { type TSchema, Type } from '@sinclair/typebox';
import { type Job, STATUSES } from '#consumers/jobs/job.ts';
import type { JobQueue } from '#consumers/jobs/job-queue.ts';
import type { Field, Fields, JobKind } from '#consumers/jobs/kind.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type App, PROBLEMS } from './app.ts';
import type { Audit } from './audit.ts';
import { Next, PAGING, pageOf } from './paging.ts';

export interface JobDesk {
  readonly queue: JobQueue;
  /** Those that the queue takes, for the OpenAPI document. */
  readonly kinds: readonly JobKind[];
  readonly audit: Audit;
}

const CLOSED = { additionalProperties: false } as const;
const COMMON = { tags: ['jobs'] };
const ONE = {
  ...COMMON,
  params: Type.Object({ id: Type.String({ minLength: 1, maxLength: 60 }) }),
};

const JobStatus = Type.Union(
  STATUSES.map((status) => Type.Literal(status)),
  { title: 'JobStatus' },
);

const Time = Type.String({ format: 'date-time' });

export const JobView = Type.Object(
  {
    id: Type.String(),
    kind: Type.String(),
    order: Type.Record(Type.String(), Type.Unknown()),
    status: JobStatus,
    news: Type.Optional(
      Type.Object(
        { text: Type.String(), figures: Type.Record(Type.String(), Type.Unknown()) },
        { ...CLOSED, description: 'How far it is, or what came of it.' },
      ),
    ),
    failure: Type.Optional(Type.String({ description: 'Why it failed, or is to be tried again.' })),
    added: Time,
    started: Type.Optional(Time),
    ended: Type.Optional(Time),
    worker: Type.Optional(Type.String()),
    failures: Type.Integer({ description: 'How often it failed for a reason that may pass.' }),
    timesLost: Type.Integer({ description: 'How often its worker died, or lost Redis.' }),
  },
  { ...CLOSED, title: 'Job' },
);

const FIELD_SCHEMAS: Readonly<Record<Field['type'], (description: string) => TSchema>> = {
  text: (description) => Type.String({ minLength: 1, description }),
  list: (description) => Type.Array(Type.String(), { minItems: 1, description }),
  time: (description) => Type.String({ format: 'date-time', description }),
  number: (description) => Type.Number({ exclusiveMinimum: 0, description }),
  count: (description) => Type.Integer({ minimum: 1, description }),
  flag: (description) => Type.Boolean({ description }),
};

/** For readers of the OpenAPI document; an order is checked by its kind. */
export function orderSchema(kind: string, fields: Fields): TSchema {
  const properties = Object.entries(fields).map(([name, { type, help, required }]) => {
    const schema = FIELD_SCHEMAS[type](help);
    return [name, required ? schema : Type.Optional(schema)] as const;
  });
  const title = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}Order`;
  return Type.Object(Object.fromEntries(properties), { ...CLOSED, title });
}

export function jobRoutes(app: App, desk: JobDesk): void {
  listRoute(app, desk);
  getRoute(app, desk);
  addRoute(app, desk);
  removeRoute(app, desk);
  changeRoute(app, desk, 'pause', 'Its worker lets go of it within seconds');
  changeRoute(app, desk, 'resume', 'Lets a paused job go on');
  changeRoute(app, desk, 'cancel', 'Ends a job; what it has done remains');
  changeRoute(app, desk, 'retry', 'Runs a job again that failed or was cancelled');
}

function listRoute(app: App, { queue }: JobDesk): void {
  app.get(
    '/v1/jobs',
    {
      schema: {
        ...COMMON,
        operationId: 'listJobs',
        summary: 'Jobs, those added first come first',
        querystring: Type.Object({ ...PAGING, status: Type.Optional(JobStatus) }, CLOSED),
        response: {
          200: Type.Object({ jobs: Type.Array(JobView), next: Next }, { title: 'Jobs' }),
          ...PROBLEMS,
        },
      },
    },
    async ({ query }) => {
      const jobs = await queue.list();
      const asked = jobs.filter(({ status }) => (query.status ?? status) === status);
      const { items, next } = pageOf(asked, keyOf, query);
      return { jobs: items.map(jobView), next };
    },
  );
}

/** In the order of the list. */
function keyOf({ addedMs, id }: Job): string {
  return `${String(addedMs).padStart(14, '0')}-${id}`;
}

function getRoute(app: App, { queue }: JobDesk): void {
  app.get(
    '/v1/jobs/:id',
    {
      schema: {
        ...ONE,
        operationId: 'getJob',
        summary: 'How far a job is, or what came of it',
        response: { 200: JobView, ...PROBLEMS },
      },
    },
    async ({ params: { id } }) => {
      const job = await queue.get(id);
      if (job !== undefined) return jobView(job);
      throw new HalfsightError('job-missing', `there is no job "${id}".`, {
        advice: 'GET /v1/jobs lists those that there are.',
      });
    },
  );
}

function addRoute(app: App, { queue, kinds, audit }: JobDesk): void {
  const JobAdd = Type.Object(
    {
      kind: Type.String({ description: kinds.map(({ name }) => name).join(', ') }),
      id: Type.Optional(
        Type.String({ description: 'Added twice with the same id, it is one job.' }),
      ),
      order: Type.Record(Type.String(), Type.Unknown(), {
        description: 'What its kind takes.',
        anyOf: kinds.map(({ name, fields }) => orderSchema(name, fields)),
      }),
    },
    { ...CLOSED, title: 'JobAdd' },
  );
  app.post(
    '/v1/jobs',
    {
      schema: {
        ...COMMON,
        operationId: 'addJob',
        summary: 'Adds a job',
        body: JobAdd,
        response: {
          200: { ...JobView, description: 'It was there already.' },
          201: { ...JobView, description: 'It is new.' },
          ...PROBLEMS,
        },
      },
    },
    async (request, reply) => {
      const { kind, order, id } = request.body;
      const { job, isNew } = await queue.add(kind, order, id);
      if (isNew) audit(request, { what: 'job-added', subject: job.id, after: job.order });
      reply.header('location', `/v1/jobs/${job.id}`);
      return reply.code(isNew ? 201 : 200).send(jobView(job));
    },
  );
}

function removeRoute(app: App, { queue, audit }: JobDesk): void {
  app.delete(
    '/v1/jobs/:id',
    {
      schema: {
        ...ONE,
        operationId: 'removeJob',
        summary: 'Forgets a job that is not being run',
        response: { 204: { type: 'null', description: 'It is forgotten.' }, ...PROBLEMS },
      },
    },
    async (request, reply) => {
      await queue.remove(request.params.id);
      audit(request, { what: 'job-removed', subject: request.params.id });
      return reply.code(204).send();
    },
  );
}

type Change = 'pause' | 'resume' | 'cancel' | 'retry';
const DONE = {
  ...{ pause: 'job-paused', resume: 'job-resumed' },
  ...{ cancel: 'job-cancelled', retry: 'job-retried' },
} as const;

function changeRoute(app: App, { queue, audit }: JobDesk, change: Change, summary: string): void {
  app.post(
    `/v1/jobs/:id/${change}`,
    {
      schema: {
        ...ONE,
        operationId: `${change}Job`,
        summary,
        response: { 200: JobView, ...PROBLEMS },
      },
    },
    async (request) => {
      const job = await queue[change](request.params.id);
      audit(request, { what: DONE[change], subject: job.id, after: { status: job.status } });
      return jobView(job);
    },
  );
}

export function jobView({ addedMs, startedMs, endedMs, news, failure, worker, ...job }: Job) {
  return {
    ...job,
    added: timeText(addedMs),
    ...(news === undefined ? {} : { news }),
    ...(failure === undefined ? {} : { failure }),
    ...(startedMs === undefined ? {} : { started: timeText(startedMs) }),
    ...(endedMs === undefined ? {} : { ended: timeText(endedMs) }),
    ...(worker === undefined ? {} : { worker }),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
