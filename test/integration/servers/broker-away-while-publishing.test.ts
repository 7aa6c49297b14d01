import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { totalOf } from '#consumers/subscriber/epoch-ledger.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess, TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { checkBooks } from '#test/integration/camera-agent-process.ts';
import { useStack } from '#test/integration/stack.ts';

const stack = useStack({ brokerCount: 1 });
const AWAY_MS = 4_000;

let opened: Broker | undefined;
let agent: AgentProcess | undefined;
beforeAll(() => {
  opened = openKafka(
    { brokers: stack().brokers, clientId: 'broker-away', tls: undefined, sasl: undefined },
    { clock: systemClock, logger: silentLogger },
  );
});
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});
afterAll(() => opened?.close());

describe('camera agent while its broker is away', () => {
  it('publishes every frame of the outage afterwards, in order, and balances', async () => {
    const broker = defined(opened, 'the broker');
    const topics = topicTable({ prefix: 'away', partitionCount: 2 });
    await broker.ensureTopics(topicSpecs(topics));
    const config = `
agent: {id: agent-a, encoderWorkers: 1}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=160&height=120", fps: 8}
  - {id: yard, source: "synthetic:yard?seed=2&width=160&height=120", fps: 8}
`;
    agent = new AgentProcess({ config, brokers: stack().brokers, prefix: 'away' });
    const countAtLeast = (count: number) => async () =>
      (await recordCount(broker, topics.frames.name)) >= count;
    await agent.until('the first frames are published', 20_000, countAtLeast(16));
    const killedTimeUs = systemClock.nowUs();
    await stack().kill('kafka', 0, { supervised: false });
    await systemClock.sleep(AWAY_MS);
    const restartTimeUs = systemClock.nowUs();
    await stack().restart('kafka', 0);
    let before: number | undefined;
    await agent.until('publishing has resumed', 30_000, async () => {
      const count = await recordCount(broker, topics.frames.name);
      before ??= count;
      return count >= before + 40;
    });
    expect(await agent.stop()).toBe(0);

    const books = await checkBooks(broker, topics, await loadBundle(TINY_BUNDLE));
    expect([...books.values()].map(({ final }) => final.cameraId).toSorted()).toEqual([
      'street',
      'yard',
    ]);
    for (const { frames, final } of books.values()) {
      expect(final.dropped['publish-backlog'], 'the backlog holds this outage').toBeUndefined();
      const meanwhile = frames.filter(({ encodeTimeUs }) => {
        return encodeTimeUs > killedTimeUs && encodeTimeUs < restartTimeUs;
      });
      expect(meanwhile.length, 'frames encoded during the outage').toBeGreaterThan(8);
    }
  });

  it('can be stopped all the same: counts what it could not publish, exits in time', async () => {
    const broker = defined(opened, 'the broker');
    const topics = topicTable({ prefix: 'gone', partitionCount: 2 });
    await broker.ensureTopics(topicSpecs(topics));
    const config = `
agent: {id: agent-a, encoderWorkers: 1}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=160&height=120", fps: 8}
`;
    agent = new AgentProcess({ config, brokers: stack().brokers, prefix: 'gone' });
    const started = agent;
    await agent.until('the first frames are published', 20_000, async () => {
      return (await recordCount(broker, topics.frames.name)) >= 8;
    });
    await stack().kill('kafka', 0, { supervised: false });
    await systemClock.sleep(1_000);
    const startMs = systemClock.monotonicMs();
    expect(await started.stop()).toBe(0);
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(LIMITS.shutdownTimeoutMs);
    const [untold] = started.eventsOf('status-untold');
    const dropped = JSON.parse(String(untold?.dropped)) as Record<string, number>;
    expect(dropped.shutdown).toBeGreaterThan(0);
    expect(untold?.captured).toBe(Number(untold?.published) + totalOf(dropped));
  });
});
