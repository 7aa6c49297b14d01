import { afterEach, expect, it } from 'vitest';
import { JobQueue } from '#consumers/jobs/job-queue.ts';
import { KINDS } from '#consumers/jobs/kinds.ts';
import { DeadLetterReader } from '#infra/control/dead-letter-reader.ts';
import { buildServer } from '#infra/control/server.ts';
import { Telemetry } from '#infra/control/telemetry.ts';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { DEAD_LETTERS, scene, writeLetters } from './dead-letter-writer.ts';
import { openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

let ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends) await end();
  ends = [];
});

it('letters are counted by reason and by what was done about them', async () => {
  const { brokers, prefix, topics, broker, run, list } = await scene('letters-over-http');
  await writeLetters(broker, topics, [
    { reason: 'schema-unknown' },
    { reason: 'record-truncated' },
    { reason: 'record-truncated' },
  ]);
  const [letter] = await list('--reason', 'record-truncated');
  await run(DEAD_LETTERS, 'discard', letter?.letter ?? '');
  const clock = systemClock;
  const stopping = new AbortController();
  const letters = new DeadLetterReader({
    openBroker: () => openBroker(brokers),
    ...{ schemaRegistry: undefined, topics, clock, stopping: stopping.signal },
  });
  const { redisUrl: url } = sharedStack('letters-over-http');
  const redis = plainRedis(url);
  const app = await buildServer({
    registry: new RedisRegistry({ redis, prefix, clock }),
    queue: new JobQueue({ redis, prefix, clock, kinds: KINDS }),
    kinds: KINDS,
    readLetters: () => letters.read(),
    readHeads: async () => [],
    ...{ clients: undefined, clock, logger: silentLogger, auditLogger: silentLogger },
    ...{ tracer: noTracer, telemetry: new Telemetry(), stopping: stopping.signal },
  });
  ends.push(() => app.close());
  const counts = () => app.inject({ url: '/v1/dead-letters', headers: { host: 'localhost' } });
  const [one, other] = await Promise.all([counts(), counts()]);
  expect(one.json()).toMatchObject({
    ...{ open: 2, discarded: 1, redriven: 0, unreadable: 0 },
    reasons: [
      { reason: 'record-truncated', open: 1, discarded: 1 },
      { reason: 'schema-unknown', open: 1 },
    ],
  });
  expect(other.json()).toEqual(one.json());
  stopping.abort();
  const late = await counts();
  expect([late.statusCode, late.json().code]).toEqual([503, 'not-ready']);
});
