import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { listHooks, resumeHook } from '#consumers/webhooks/commands.ts';
import { eventId } from '#consumers/webhooks/event.ts';
import type { Hook } from '#consumers/webhooks/hook.ts';
import { readHooks } from '#consumers/webhooks/hooks-file.ts';
import { WebhookWorker } from '#consumers/webhooks/webhook-worker.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { type Environment, readEnvironment } from '#runtime/settings.ts';
import { noTracer } from '#runtime/trace.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult, type ResultStatus } from '#schemas/result.ts';
import { topicTable, webhookGroups } from '#schemas/topics.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { detection } from '#test/unit/consumers/subscriber/results.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const FRAMING = singleObjectFraming();
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const EPOCH = 1_700_000_000_000;

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Hooks on a real Kafka and Redis, with a receiver each. */
async function scene(label: string, keys: Readonly<Record<string, string>>) {
  const { brokers, redisUrl, prefix } = sharedStack(label);
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-hooks-'));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const receivers = new Map<string, WebhookReceiver>();
  const lines: string[] = [];
  for (const [name, settings] of Object.entries(keys)) {
    const receiver = new WebhookReceiver(SECRET);
    await receiver.listen();
    receivers.set(name, receiver);
    ends.push(() => receiver.close());
    const { url } = receiver;
    lines.push(
      `  - {name: ${name}, url: "${url}", topic: detection, secretFile: secret, ${settings}}`,
    );
  }
  const file = join(folder, 'webhooks.yaml');
  writeFileSync(file, `hooks:\n${lines.join('\n')}\n`);
  const environment: Environment = readEnvironment({ HALFSIGHT_WEBHOOKS: file });
  const hooks = readHooks(environment);
  const redis = new Redis(redisUrl);
  ends.push(() => redis.quit());
  const settings = plainRedis(redisUrl);
  const start = (): WebhookWorker => {
    const worker = new WebhookWorker({
      ...{ hooks, prefix, topics, framing: FRAMING, redis: settings },
      ...{ broker: openBroker(brokers), clock: systemClock, logger: silentLogger },
      ...{ random: seededRandom(1), tracer: noTracer },
      onFailed: (error) => {
        throw error;
      },
    });
    worker.start();
    ends.push(() => worker.stop());
    return worker;
  };
  const list = () => listHooks({ hooks, redis, prefix, broker, topics });
  const shown = async () => JSON.stringify(await list());
  const producer = await broker.openProducer();
  return {
    ...{ hooks, start, list, shown, redis, prefix },
    receiver: (name: string) => defined(receivers.get(name), name),
    send: (from: number, to: number, status: ResultStatus = 'ok') =>
      producer.send(
        Array.from({ length: to - from }, (_, index) => ({
          topic: topics.results.detection.name,
          key: 'gate',
          value: encodeResult(
            detection(status === 'ok' ? [['person', 0.9]] : [], { status, sequence: from + index }),
            FRAMING,
          ),
          headers: {},
        })),
      ),
    /** Results that were written before are none of a new hook's. */
    begun: () =>
      untilAnswered(async () => {
        const groups = hooks.map(({ name, task }) => `${webhookGroups(topics)[task]}${name}`);
        const positions = await Promise.all(
          groups.map((group) => broker.committedOffsets(group, topics.results.detection.name)),
        );
        return positions.every(({ size }) => size === 2);
      }, 'its positions'),
  };
}

/** A broker whose coordinator has yet to be found is no answer. */
function untilAnswered(
  condition: () => Promise<boolean>,
  what: string | (() => Promise<string>),
): Promise<number> {
  const holds = () =>
    condition().catch((error: unknown) => {
      if (error instanceof HalfsightError && error.canRetry) return false;
      throw error;
    });
  return until(holds, 60_000, what);
}

const idsOf = (hook: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) =>
    eventId(hook, 'detection', { cameraId: 'gate', epoch: EPOCH, sequence: from + index }),
  );

describe('a receiver that is down, then fails, hangs, redirects, and accepts at last', () => {
  it('has every result in order with one id, and holds up nobody else', async () => {
    const patience = 'timeoutSeconds: 1, parkAfterMinutes: 60';
    const { start, begun, send, receiver } = await scene('webhooks', {
      troubled: patience,
      other: patience,
    });
    const [troubled, other] = [receiver('troubled'), receiver('other')];
    await troubled.close();
    start();
    await begun();
    await send(0, 20);
    // The other one does not wait for it.
    await until(() => other.accepted().length === 20, 30_000, told(other));
    expect(other.accepted()).toEqual(idsOf('other', 0, 20));
    expect(troubled.received).toEqual([]);

    for (const manner of [{ status: 500 }, 'hang', { status: 302 }] as const) {
      const before = troubled.received.length;
      troubled.manner = manner;
      if (before === 0) await troubled.listen();
      await until(() => troubled.received.length > before, 30_000, told(troubled));
    }
    const attempts = troubled.received.length;
    troubled.manner = 'accept';
    await send(20, 25);
    await until(() => troubled.accepted().length === 25, 60_000, told(troubled));
    expect(troubled.accepted()).toEqual(idsOf('troubled', 0, 25));
    // While it failed, it was asked for the first one only.
    expect(new Set(troubled.received.slice(0, attempts).map(({ id }) => id)).size).toBe(1);
    const bodies = new Map<string, string>();
    for (const { id, body, isSignedRight } of [...troubled.received, ...other.received]) {
      expect(isSignedRight).toBe(true);
      expect(bodies.get(id) ?? body).toBe(body);
      bodies.set(id, body);
    }
    const first = JSON.parse(troubled.received[0]?.body ?? '');
    expect(first).toMatchObject({ frameId: `gate-${EPOCH}-0`, task: 'detection', sequence: 0 });
  });
});

describe('a receiver that accepts, and never ends its answer', () => {
  it('has accepted, and is told of frames that no head ran on if it wants that', async () => {
    const { start, begun, send, receiver, list } = await scene('webhooks-endless', {
      endless: 'timeoutSeconds: 2',
      thorough: 'labels: [person], shed: true',
    });
    const endless = receiver('endless');
    endless.manner = { status: 200, endless: true };
    const worker = start();
    await begun();
    await send(0, 1, 'shed');
    await send(1, 4);
    const delivered = async () => (await list()).map((hook) => hook.delivered);
    await untilAnswered(async () => (await delivered()).join() === '3,4', 'both to be delivered');
    expect(endless.received.map(({ id }) => id)).toEqual(idsOf('endless', 1, 4));
    const thorough = receiver('thorough');
    expect(thorough.accepted()).toEqual(idsOf('thorough', 0, 4));
    expect(JSON.parse(thorough.received[0]?.body ?? '')).toMatchObject({ status: 'shed' });
    const dropped = worker.metrics.flatMap((metrics) => metrics.families());
    const name = 'halfsight_webhooks_dropped_total';
    const shed = { hook: 'endless', reason: 'shed' };
    expect(dropped).toContainEqual(
      expect.objectContaining({
        name,
        samples: expect.arrayContaining([{ labels: shed, value: 1 }]),
      }),
    );
  });
});

describe('a receiver that stays dead', () => {
  it('is parked, keeps its place through a restart, and goes on when it is resumed', async () => {
    const { start, begun, send, receiver, list, shown, hooks, redis, prefix } = await scene(
      'webhooks-dead',
      { gone: 'parkAfterMinutes: 60' },
    );
    const gone = receiver('gone');
    gone.manner = { status: 410 };
    const worker = start();
    await begun();
    const count = LIMITS.webhookQueueEventsMax + 50;
    await send(0, count);
    await untilAnswered(async () => (await list())[0]?.state === 'parked', shown);
    // Redis holds as many as it may, Kafka the others.
    const isFull = async () => (await list())[0]?.waiting === LIMITS.webhookQueueEventsMax;
    await untilAnswered(isFull, shown);
    expect((await list())[0]).toMatchObject({ failures: 1, lastFailure: 'answers 410' });
    expect(gone.received).toHaveLength(1);
    await worker.stop();
    start();
    gone.manner = 'accept';
    await systemClock.sleep(1_500);
    expect(gone.received).toHaveLength(1);
    await resumeHook(redis, prefix, defined(hooks[0], 'the hook') as Hook);
    await until(() => gone.accepted().length === count, 60_000, told(gone));
    expect(gone.accepted()).toEqual(idsOf('gone', 0, count));
    await untilAnswered(async () => {
      const [hook] = await list();
      return hook?.state === 'active' && hook.delivered === count && hook.waiting === 0;
    }, shown);
  });
});

function told({ received }: WebhookReceiver): () => string {
  return () => received.map(({ id, isAccepted }) => `${id} ${isAccepted}`).join('\n');
}
