import { afterEach, expect } from 'vitest';
import type { Job, JobStatus } from '#consumers/jobs/job.ts';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import type { Fields, JobContext, JobKind, JobNews } from '#consumers/jobs/kind.ts';
import { QueueConnection } from '#consumers/jobs/queue-connection.ts';
import { JobTelemetry } from '#consumers/jobs/telemetry.ts';
import { JobWorker } from '#consumers/jobs/worker.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { createLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import { topicTable } from '#schemas/topics.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { Cluster } from '#test/simulation/broker/cluster.ts';
import { connectTo } from '#test/simulation/broker/fake-broker.ts';
import { Host } from '#test/simulation/host.ts';
import { VirtualClock } from '#test/simulation/virtual-clock.ts';

/** What a job of the test's own kind does. */
export type Work = (context: JobContext) => Promise<JobNews | 'stopped'>;

const FIELDS = { step: { type: 'count', help: '', required: true } } as const satisfies Fields;

let ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});

export const news = (text: string): JobNews => ({ text, figures: {} });

/**
 * A queue on a real Redis, whose jobs do what `works` says of their ids, and workers on demand, in
 * this process. `workerUrl`: where workers find Redis, if elsewhere.
 */
export function walkingJobs(redisUrl: string, prefix: string, workerUrl = redisUrl) {
  const placeAt = (url: string) => ({ redis: plainRedis(url), prefix });
  const works = new Map<string, Work>();
  const started: string[] = [];
  const kind: JobKind<typeof FIELDS> = {
    ...{ name: 'walk', summary: '', fields: FIELDS },
    async run({ step }, context) {
      started.push(context.id);
      const work = works.get(context.id);
      return work === undefined ? news(`walked ${step}`) : await work(context);
    },
  };
  const kinds = [kind];
  const clock = systemClock;
  const queue = new JobQueue({ ...placeAt(redisUrl), kinds, clock });
  const raw = new QueueConnection(placeAt(redisUrl), clock);
  ends.push(
    () => queue.close(),
    () => raw.close(),
  );
  const said: string[] = [];
  const write = (line: string) => void said.push(line);
  const time = new VirtualClock();
  const random = seededRandom(1);
  const broker = connectTo(new Cluster(time, random), new Host('worker', time), random);
  const telemetry = new JobTelemetry(['walk'], () => undefined);
  return {
    ...{ queue, raw, works, started, said, telemetry },
    startWorker(name: string): JobWorker {
      const worker = new JobWorker({
        ...{ ...placeAt(workerUrl), kinds, name, telemetry },
        workshop: {
          ...{ environment: readEnvironment({}), topics: topicTable({ prefix }), broker, clock },
          logger: createLogger({ level: 'info', format: 'text', write }),
          ...{ tracer: noTracer, mayRun: async () => true },
        },
      });
      ends.unshift(() => worker.stop());
      return worker;
    },
    add(id: string, work?: Work) {
      if (work !== undefined) works.set(id, work);
      return queue.add('walk', { step: 1 }, id);
    },
    /** Resolves with a job once it is in one of these statuses. */
    async untilIs(id: string, ...wanted: readonly JobStatus[]): Promise<Job> {
      const endMs = clock.monotonicMs() + 60_000;
      for (;;) {
        const job = defined(await queue.get(id), `job ${id}`);
        if (wanted.includes(job.status)) return job;
        if (clock.monotonicMs() > endMs) expect.fail(`${id} is ${job.status}: ${said.join('')}`);
        await clock.sleep(50);
      }
    },
  };
}
