import { expect, it } from 'vitest';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import type { Network } from '#test/fixtures/network-proxy.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { checkBooks } from '#test/integration/camera-agent-process.ts';
import { useProxiedLine } from './proxied-line.ts';

const line = useProxiedLine();

const FAULTS: readonly { name: string; network: Partial<Network>; ms: number }[] = [
  { name: 'cut', network: { state: 'cut' }, ms: 3_000 },
  // Longer than a request may take: the client must give the connection up by itself.
  { name: 'silent', network: { state: 'silent' }, ms: 12_000 },
  { name: 'far', network: { delayMs: 300 }, ms: 4_000 },
  { name: 'slow', network: { bytesPerSecond: 8_000 }, ms: 6_000 },
];

it.each(FAULTS)('a line that is $name loses nothing and disorders nothing', async (fault) => {
  const { broker, proxy, startAgent } = line();
  const prefix = `network-${fault.name}`;
  const topics = topicTable({ prefix, partitionCount: 2 });
  await broker.ensureTopics(topicSpecs(topics));
  const config = `
agent: {id: agent-a, encoderWorkers: 1}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=160&height=120", fps: 6}
  - {id: yard, source: "synthetic:yard?seed=2&width=160&height=120", fps: 6}
`;
  const agent = startAgent({ config, prefix });
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
