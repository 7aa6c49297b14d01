import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { TASKS } from '#schemas/result.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { balanceOf } from '#test/fixtures/balance-of.ts';
import { isAnswered } from '#test/fixtures/is-answered.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { until } from '#test/fixtures/until.ts';
import { startInference } from '#test/integration/inference-process.ts';
import { useStack } from '#test/integration/stack.ts';
import { judge } from '#test/referee/java.ts';

/** Store and forward: frames of an outage wait on the agent's disk, also when that is killed. */

const CAMERAS = ['street', 'yard'];
const FPS = 8;
const PARTITIONS = 2;

const stack = useStack({ brokerCount: 1, redis: false });
let directory: string;
let broker: Broker;
let agent: AgentProcess | undefined;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'halfsight-spool-'));
  const settings = { brokers: stack().brokers, clientId: 'test', tls: undefined, sasl: undefined };
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
});
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});
afterAll(async () => {
  await broker.close();
  rmSync(directory, { recursive: true });
});

function startAgent(prefix: string): AgentProcess {
  const cameras = CAMERAS.map((id, index) => {
    const source = `synthetic:${id}?seed=${index}&width=160&height=120`;
    return `  - {id: ${id}, source: "${source}", fps: ${FPS}}`;
  });
  const config = `
agent: {id: agent-a, encoderWorkers: 1}
spool: {directory: ${join(directory, prefix)}}
cameras:
${cameras.join('\n')}
`;
  agent = new AgentProcess({ config, brokers: stack().brokers, prefix });
  return agent;
}

it('gets through an outage, kill -9 in mid-outage, and a start without a broker', async () => {
  const prefix = 'spool';
  const topics = topicTable({ prefix, partitionCount: PARTITIONS });
  await broker.ensureTopics(topicSpecs(topics));
  const published = () => recordCount(broker, topics.frames.name);
  const first = startAgent(prefix);
  await first.until('frames are published', 20_000, async () => (await published()) >= 16);

  await stack().kill('kafka', 0, { supervised: false });
  await first.until('frames are spooled', 20_000, () => {
    return first.eventsOf('publish-spooled').length > 0;
  });
  await systemClock.sleep(3_000);
  await first.stop('SIGKILL');
  // The machine comes up again before the broker does.
  const second = startAgent(prefix);
  await second.until('it starts without a broker', 30_000, () => {
    return second.eventsOf('agent-started').length > 0;
  });
  const [found] = second.eventsOf('spool-found');
  const spooled = Number(defined(found, 'what the first agent left').records);
  expect(spooled, 'frames of the outage').toBeGreaterThan(FPS * CAMERAS.length * 2);
  await systemClock.sleep(3_000);

  await stack().restart('kafka', 0);
  const consumer = startInference(stack().brokers, prefix);
  await second.until('the spool is published', 30_000, async () => {
    return (await published()) >= 16 + spooled + 24;
  });
  expect(await second.stop()).toBe(0);
  const names = TASKS.map((task) => topics.results[task].name);
  const groupId = `${prefix}-inference`;
  await until(() => isAnswered(broker, groupId, topics.frames.name), 60_000, consumer.output);
  expect(await consumer.stop(), consumer.output()).toBe(0);

  const verdict = await judge(stack().brokers, topics.frames.name, topics.deadLetters.name, names);
  expect(verdict).toMatchObject({ sound: true, deadLetters: 0 });
  const report = await balanceOf(broker, topics);
  expect(report.balanced, JSON.stringify(report.epochs, null, 1)).toBe(true);
  expect(report.epochs).toHaveLength(2 * CAMERAS.length);
  for (const { state, captured, published: own, dropped } of report.epochs) {
    expect(state).toBe('closed');
    // At most the last moments of the killed agent are lost, and they are counted.
    const lost = dropped['agent-killed'] ?? 0;
    expect(lost).toBeLessThanOrEqual(FPS);
    expect(captured - own).toBeGreaterThanOrEqual(lost);
  }
});
