import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess, TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import { checkBooks, readStatuses } from './camera-agent-process.ts';
import { makeTestClip, publishClip, startRtspRelay } from './rtsp-relay.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('camera-drops-out');
const broker = openKafka(
  { brokers, clientId: 'camera-drops-out', tls: undefined, sasl: undefined },
  { clock: systemClock, logger: silentLogger },
);
const credentials = { user: 'viewer', password: 'right-horse' };
let folder = '';
let clip = '';
let agent: AgentProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'halfsight-rtsp-'));
  clip = join(folder, 'clip.mp4');
  await makeTestClip(clip, { size: '320x240', rate: 12 });
});
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});
afterAll(async () => {
  await broker.close();
  await rm(folder, { recursive: true });
});

it('closes the books of a camera that drops out, begins new ones, spares the others', async () => {
  const topics = topicTable({ prefix, partitionCount: 2 });
  await broker.ensureTopics(topicSpecs(topics));
  const first = await startRtspRelay({ credentials });
  const { port } = first;
  const stopFirst = await publishClip(clip, first, 'yard');
  const config = `
agent: {encoderWorkers: 1}
cameras:
  - {id: yard, source: "rtsp://viewer:\${YARD_PASSWORD}@127.0.0.1:${port}/yard", fps: 5}
  - {id: steady, source: "synthetic:field?width=160&height=120", fps: 5}
`;
  const variables = { YARD_PASSWORD: credentials.password };
  const started = new AgentProcess({ config, brokers, prefix, variables });
  agent = started;
  const yard = async () => {
    return (await readStatuses(broker, topics)).filter(({ cameraId }) => cameraId === 'yard');
  };
  const hasPublished = async (epochs: number) =>
    new Set((await yard()).filter(({ published }) => published >= 5).map(({ epoch }) => epoch))
      .size >= epochs;

  await started.until('yard is online', 30_000, () => hasPublished(1));
  await first.stop();
  await stopFirst();
  await started.until('the epoch is closed', 20_000, async () => {
    const statuses = await yard();
    return statuses.some(({ final, state }) => final && state === 'offline');
  });
  const second = await startRtspRelay({ port, credentials });
  const stopSecond = await publishClip(clip, second, 'yard');
  await started.until('yard is back', 30_000, () => hasPublished(2));
  expect(await started.stop()).toBe(0);
  await second.stop();
  await stopSecond();

  const books = [...(await checkBooks(broker, topics, await loadBundle(TINY_BUNDLE))).values()];
  const epochsOf = (cameraId: string) => books.filter(({ final }) => final.cameraId === cameraId);
  expect(epochsOf('yard').length).toBeGreaterThanOrEqual(2);
  expect(epochsOf('steady')).toHaveLength(1);
  const statuses = await readStatuses(broker, topics);
  expect((await yard()).at(-1)?.reconnects).toBeGreaterThanOrEqual(1);
  const steady = statuses.filter(({ cameraId }) => cameraId === 'steady');
  expect(new Set(steady.map(({ state }) => state))).toEqual(
    new Set(['connecting', 'online', 'offline']),
  );
  expect(steady.filter(({ state }) => state === 'offline').map(({ final }) => final)).toEqual([
    true,
  ]);
  const told = started.log + JSON.stringify(statuses.map(({ detail }) => detail));
  expect(told).not.toContain(credentials.password);
}, 90_000);
