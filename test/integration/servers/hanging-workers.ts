import { EXPORT_JOB } from '#consumers/export/job.ts';
import type { JobKind } from '#consumers/jobs/kind.ts';
import { JobTelemetry } from '#consumers/jobs/telemetry.ts';
import { JobWorker } from '#consumers/jobs/worker.ts';
import { choosePorts } from '#infra/local/ports.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { aborted } from '#runtime/lifecycle.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import { topicTable } from '#schemas/topics.ts';
import { NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';

/** Workers of jobs, in this process, whose exports never end, on a line to Redis of their own. */
export class HangingWorkers {
  readonly #proxy: NetworkProxy;
  readonly #workers: readonly JobWorker[];
  readonly #taken: string[];

  private constructor(proxy: NetworkProxy, workers: readonly JobWorker[], taken: string[]) {
    this.#proxy = proxy;
    this.#workers = workers;
    this.#taken = taken;
  }

  static async start(
    count: number,
    place: { readonly redisUrl: string; readonly prefix: string; readonly broker: Broker },
  ): Promise<HangingWorkers> {
    const { redisUrl, prefix, broker } = place;
    const [port = 0] = await choosePorts(1, [], seededRandom(freshSeed()));
    const proxy = new NetworkProxy(Number(new URL(redisUrl).port));
    await proxy.listen(port);
    const taken: string[] = [];
    const hanging: JobKind = {
      ...{ name: EXPORT_JOB.name, summary: '', fields: EXPORT_JOB.fields },
      async run(_, { id, stopping }) {
        taken.push(id);
        await aborted(stopping);
        return 'stopped';
      },
    };
    const workers = Array.from({ length: count }, (_, index) => {
      return new JobWorker({
        redis: plainRedis(`redis://127.0.0.1:${port}`),
        ...{ prefix, kinds: [hanging], name: `hanging-${index}` },
        telemetry: new JobTelemetry([hanging.name], () => undefined),
        workshop: {
          ...{ environment: readEnvironment({}), topics: topicTable({ prefix }), broker },
          ...{ clock: systemClock, logger: silentLogger, tracer: noTracer },
          mayRun: async () => true,
        },
      });
    });
    return new HangingWorkers(proxy, workers, taken);
  }

  /** Each has a job. */
  get areBusy(): boolean {
    return this.#taken.length === this.#workers.length;
  }

  /** Redis hears of none of them any more. */
  cutOff(): void {
    this.#proxy.become({ state: 'cut' });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#proxy.close();
  }
}
