import sharp from 'sharp';
import { expect, it, onTestFinished } from 'vitest';
import type { CameraAnswer, FleetAnswer } from '#consumers/dashboard/protocol.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { WallProcess } from '#test/fixtures/wall-child.ts';
import { readStatuses, readTopic } from './camera-agent-process.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

/** A real agent and a real wall: what comes of small pictures, from the source to the browser. */

const PATIENCE_MS = 40_000;
const SOURCE = 'source: "synthetic:test-card?width=320&height=180", fps: 5';
const PREVIEW = 'preview: {everySeconds: 5, width: 160}';

function startAgent(brokers: readonly string[], prefix: string, cameras: string): AgentProcess {
  const config = `agent: {id: sends, encoderWorkers: 1}\ncameras:\n${cameras}`;
  const agent = new AgentProcess({ config, brokers, prefix });
  onTestFinished(async () => {
    await agent.stop('SIGKILL');
  });
  return agent;
}

it('one with leave sends a picture to the wall, one without sends none', async () => {
  const { brokers, prefix } = sharedStack('previews');
  const broker = openBroker(brokers);
  const topics = topicTable({ prefix, partitionCount: 2 });
  await createTopics(broker, topics);
  const wall = new WallProcess({ brokers, prefix });
  onTestFinished(() => wall.kill());
  const address = await wall.address;
  const cameras = `  - {id: gate, ${SOURCE}, ${PREVIEW}}\n  - {id: yard, ${SOURCE}}\n`;
  const agent = startAgent(brokers, prefix, cameras);
  const picture = (cameraId: string) => fetch(`http://${address}/api/cameras/${cameraId}/preview`);
  const isThere = async () =>
    (await picture('gate')).ok && (await fetch(`http://${address}/api/cameras/yard`)).ok;
  await agent.until('the wall has a picture', PATIENCE_MS, isThere);

  const jpeg = Buffer.from(await (await picture('gate')).arrayBuffer());
  // As large as the encoder's input, which is smaller than asked.
  expect(await sharp(jpeg).metadata()).toMatchObject({ format: 'jpeg', width: 64, height: 36 });
  const ask = async <T>(path: string) =>
    (await (await fetch(`http://${address}/api/${path}`)).json()) as T;
  const marked = { camera: { sendsPictures: true }, preview: { width: 64, height: 36 } };
  expect(await ask<CameraAnswer>('cameras/gate')).toMatchObject(marked);
  const unmarked = { camera: { sendsPictures: false }, preview: null };
  expect(await ask<CameraAnswer>('cameras/yard')).toMatchObject(unmarked);
  expect((await picture('yard')).status).toBe(404);
  expect((await ask<FleetAnswer>('fleet')).fleet.cameras.sendPictures).toBe(1);

  expect(await agent.stop()).toBe(0);
  const [figures] = agent.eventsOf('agent-figures').slice(-1);
  expect(figures?.previewsPublished).toBeGreaterThan(0);
  const pictures = await readTopic(broker, topics.previews.name);
  expect(new Set(pictures.map(({ key }) => key))).toEqual(new Set(['gate']));
  expect(agent.eventsOf('camera-sends-pictures')).toMatchObject([{ camera: 'gate' }]);
  const statuses = await readStatuses(broker, topics);
  const senders = statuses.filter(({ sendsPictures }) => sendsPictures);
  expect(new Set(senders.map(({ cameraId }) => cameraId))).toEqual(new Set(['gate']));
});

it('a picture that cannot be sent is dropped and counted, and frames do not notice', async () => {
  const { brokers, prefix } = sharedStack('previews-unsent');
  const broker = openBroker(brokers);
  const topics = topicTable({ prefix, partitionCount: 1 });
  await broker.ensureTopics(topicSpecs(topics).filter(({ name }) => name !== topics.previews.name));
  // One, in the time that this takes.
  const preview = 'preview: {everySeconds: 600, width: 160}';
  const agent = startAgent(brokers, prefix, `  - {id: gate, ${SOURCE}, ${preview}}\n`);
  const isDropped = () => agent.eventsOf('preview-not-sent').length > 0;
  await agent.until('a picture is dropped', PATIENCE_MS, isDropped);
  expect(agent.eventsOf('preview-not-sent')[0]?.error).toContain('topic-missing');
  const before = await recordCount(broker, topics.frames.name);
  const goesOn = async () => (await recordCount(broker, topics.frames.name)) > before + 3;
  await agent.until('frames go on', PATIENCE_MS, goesOn);
  expect(await agent.stop()).toBe(0);
  const [figures] = agent.eventsOf('agent-figures').slice(-1);
  expect(figures).toMatchObject({ previewsPublished: 0, 'previewsDropped:send-failed': 1 });
  const final = (await readStatuses(broker, topics)).findLast((status) => status.final);
  const { 'encoder-busy': busy = 0, ...others } = final?.dropped ?? {};
  expect(others).toEqual({});
  expect(final?.captured).toBe((final?.published ?? 0) + busy);
});
