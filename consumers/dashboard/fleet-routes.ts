import type { FastifyInstance } from 'fastify';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { JobsReader } from './jobs-figures.ts';
import type { FleetAnswer, TopicFigures } from './protocol.ts';
import type { TopicFiguresReader } from './topic-figures.ts';
import type { Wall } from './wall.ts';

export interface FleetRoutesOptions {
  readonly wall: Wall;
  /** Throws while Kafka cannot be read. */
  readonly session: () => { readonly broker: Broker };
  readonly topicFigures: TopicFiguresReader;
  readonly jobs: JobsReader;
  readonly clock: Clock;
}

/** The whole installation in figures. */
export function fleetRoutes(app: FastifyInstance, options: FleetRoutesOptions): void {
  const { wall, jobs, clock } = options;
  app.get('/api/fleet', async (): Promise<FleetAnswer> => {
    const [topics, jobsFigures] = await Promise.all([readTopics(options), jobs.read()]);
    const nowMs = clock.nowUs() / 1000;
    return {
      nowUs: nowMs * 1000,
      fleet: wall.fleet(nowMs),
      topics,
      partitions: wall.partitions(),
      deadLettersByReason: Object.fromEntries(wall.state.deadLettersByReason),
      jobs: jobsFigures,
    };
  });
}

/** Of a Kafka that is away nothing is told but that it is, which the fleet says. */
async function readTopics({ session, topicFigures }: FleetRoutesOptions): Promise<TopicFigures[]> {
  try {
    return await topicFigures.read(session().broker);
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    return [];
  }
}
