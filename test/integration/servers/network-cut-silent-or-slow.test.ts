import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { choosePorts } from '#infra/local/ports.ts';
import type { LocalStack } from '#infra/local/stack.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { freshSeed, seededRandom } from '#runtime/random.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess, TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import { type Network, NetworkProxy } from '#test/fixtures/network-proxy.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { checkBooks } from '#test/integration/camera-agent-process.ts';
import { startTestStack } from '#test/integration/start-stack.ts';

/** The line between a camera agent and its broker; nothing else uses it. */

let stack: LocalStack;
let proxy: NetworkProxy;
let broker: Broker;
let agent: AgentProcess | undefined;
let port = 0;

beforeAll(async () => {
  [port = 0] = await choosePorts(1, [], seededRandom(freshSeed()));
  stack = await startTestStack({ redis: false, advertisedPorts: [port] });
  const behind = defined(stack.proxied[0], 'the listener behind the proxy');
  proxy = new NetworkProxy(Number(behind.split(':')[1]));
  await proxy.listen(port);
  const settings = { brokers: stack.brokers, clientId: 'test', tls: undefined, sasl: undefined };
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
});
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});
afterAll(async () => {
  await broker.close();
  await proxy.close();
  await stack.stop();
});

const FAULTS: readonly { name: string; network: Partial<Network>; ms: number }[] = [
  { name: 'cut', network: { state: 'cut' }, ms: 3_000 },
  // Longer than a request may take: the client must give the connection up by itself.
  { name: 'silent', network: { state: 'silent' }, ms: 12_000 },
  { name: 'far', network: { delayMs: 300 }, ms: 4_000 },
  { name: 'slow', network: { bytesPerSecond: 8_000 }, ms: 6_000 },
];

it.each(FAULTS)('a line that is $name loses nothing and disorders nothing', async (fault) => {
  const prefix = `network-${fault.name}`;
  const topics = topicTable({ prefix, partitionCount: 2 });
  await broker.ensureTopics(topicSpecs(topics));
  const config = `
agent: {id: agent-a, encoderWorkers: 1}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=160&height=120", fps: 6}
  - {id: yard, source: "synthetic:yard?seed=2&width=160&height=120", fps: 6}
`;
  agent = new AgentProcess({ config, brokers: [`127.0.0.1:${port}`], prefix });
  const count = () => recordCount(broker, topics.frames.name);
  await agent.until('the first frames are published', 20_000, async () => (await count()) >= 12);
  proxy.become(fault.network);
  await systemClock.sleep(fault.ms);
  proxy.become({});
  const healed = await count();
  await agent.until('frames come again', 30_000, async () => (await count()) >= healed + 24);
  expect(await agent.stop()).toBe(0);

  const books = await checkBooks(broker, topics, await loadBundle(TINY_BUNDLE));
  expect(books.size).toBe(2);
  for (const { final, frames } of books.values()) {
    expect(final.dropped['publish-backlog'], 'the backlog holds this outage').toBeUndefined();
    expect(frames.length).toBe(final.published);
  }
});
