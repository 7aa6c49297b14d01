import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { traceparentOf } from '#runtime/trace.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { type AgentOptions, AgentProcess, TINY_BUNDLE } from '#test/fixtures/agent-child.ts';
import { startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { checkBooks, readStatuses, readTopic } from './camera-agent-process.ts';
import { makeTestClip } from './rtsp-relay.ts';
import { sharedStack } from './stack.ts';

const SHIPPED_BUNDLE = join(import.meta.dirname, '../../models/bundles/halfsight-lite0');

const { brokers, prefix } = sharedStack('camera-agent');
const broker = openKafka(
  { brokers, clientId: 'camera-agent-test', tls: undefined, sasl: undefined },
  { clock: systemClock, logger: silentLogger },
);
afterAll(() => broker.close());

let agent: AgentProcess | undefined;
afterEach(async ({ task }) => {
  await agent?.stop('SIGKILL');
  if (task.result?.state === 'fail') process.stderr.write(agent?.log ?? '');
});

/** Topics of one test's own, and an agent that publishes to them. */
async function startAgent(
  name: string,
  options: Pick<AgentOptions, 'config' | 'bundle' | 'variables'>,
) {
  const topics = topicTable({ prefix: `${prefix}-${name}`, partitionCount: 2 });
  await broker.ensureTopics(topicSpecs(topics));
  const started = new AgentProcess({ ...options, brokers, prefix: `${prefix}-${name}` });
  agent = started;
  return { topics, agent: started };
}

describe('camera agent', () => {
  it('accounts on the topics for every frame of every camera when it is stopped', async () => {
    const config = `
agent: {id: agent-a, encoderWorkers: 2}
cameras:
  - {id: street-1, source: "synthetic:street?seed=1&width=160&height=120", fps: 10}
  - {id: yard.2, source: "synthetic:yard?seed=2&width=160&height=120", fps: 10, ratePoint: 1}
  - {id: off, source: "synthetic:street", enabled: false}
  - {id: broken, source: no-such-file.mp4}
`;
    const { topics, agent } = await startAgent('books', { config });
    const enough = async () => (await recordCount(broker, topics.frames.name)) >= 40;
    await agent.until('40 frames are published', 40_000, enough);
    expect(await agent.stop()).toBe(0);
    const books = await checkBooks(broker, topics, await loadBundle(TINY_BUNDLE));
    const cameras = [...books.values()].map(({ final }) => final.cameraId);
    expect(cameras.toSorted()).toEqual(['street-1', 'yard.2']);
    for (const { frames, final, repeated } of books.values()) {
      expect(final.agentId).toBe('agent-a');
      expect(repeated).toBe(0);
      expect(new Set(frames.map(({ ratePoint }) => ratePoint))).toEqual(
        new Set([final.cameraId === 'yard.2' ? 1 : 0]),
      );
      expect(frames[0]).toMatchObject({ sourceWidth: 160, sourceHeight: 120, inputWidth: 64 });
    }
    const statuses = await readStatuses(broker, topics);
    const broken = statuses.filter(({ cameraId }) => cameraId === 'broken');
    expect(broken.map(({ state }) => state)).toContain('offline');
    expect(broken.every(({ captured, epoch }) => captured === 0 && epoch === 0)).toBe(true);
    expect(statuses.some(({ cameraId }) => cameraId === 'off')).toBe(false);
  });

  it('drops frames that it cannot encode in time, and says which are missing', async (ctx) => {
    if (!existsSync(join(SHIPPED_BUNDLE, 'bundle.json'))) {
      ctx.skip('models/bundles/halfsight-lite0 is not there, and the tiny bundle is too fast');
    }
    const lines = ['agent: {id: agent-b, encoderWorkers: 1}', 'cameras:'];
    for (let index = 0; index < 4; index++) {
      const source = `synthetic:street?seed=${index}&width=160&height=120`;
      lines.push(`  - {id: busy-${index}, source: "${source}", fps: 30}`);
    }
    const config = lines.join('\n');
    const { topics, agent } = await startAgent('busy', { config, bundle: SHIPPED_BUNDLE });
    const published = () => recordCount(broker, topics.frames.name);
    const allOnline = () => agent.eventsOf('camera-online').length === 4;
    await agent.until('all cameras are online', 60_000, allOnline);
    const before = await published();
    await agent.until('80 more frames', 60_000, async () => (await published()) >= before + 80);
    expect(await agent.stop()).toBe(0);
    const books = await checkBooks(broker, topics, await loadBundle(SHIPPED_BUNDLE));
    expect(books.size).toBe(4);
    const framesOf = [...books.values()].map(({ frames }) => frames);
    // Until the last camera has begun, the others have its turns.
    const begunUs = Math.max(...framesOf.map(([first]) => first?.captureTimeUs ?? 0));
    const shares = framesOf.map(
      (frames) => frames.filter(({ captureTimeUs }) => captureTimeUs >= begunUs).length,
    );
    const dropped = [...books.values()].map(({ final }) => final.dropped['encoder-busy'] ?? 0);
    expect(Math.max(...dropped), 'otherwise this test shows nothing').toBeGreaterThan(0);
    expect(Math.max(...shares), 'round robin').toBeLessThan(2 * Math.min(...shares));
  });

  it('ends by itself, with final counts, when its files have ended', async () => {
    const clip = join(mkdtempSync(join(tmpdir(), 'halfsight-clip-')), 'clip.mp4');
    // Slow, so that no frame is passed over on a busy machine.
    await makeTestClip(clip, { size: '160x120', rate: 10, seconds: 5 });
    const config = `
agent: {encoderWorkers: 1}
cameras:
  - {id: once, source: "${clip}", fps: 1}
`;
    const { topics, agent } = await startAgent('once', { config });
    expect(await agent.exited()).toBe(0);
    const books = await checkBooks(broker, topics, await loadBundle(TINY_BUNDLE));
    const [once] = [...books.values()];
    expect(books.size).toBe(1);
    expect(once?.final).toMatchObject({ cameraId: 'once', state: 'ended', captured: 5 });
  });

  it('traces sampled frames from capture to publish, and hands the trace on', async () => {
    const sink = await startOtlpSink();
    onTestFinished(() => sink.close());
    const config = `
trace: {sampleRatio: 0.5}
agent: {encoderWorkers: 1}
cameras:
  - {id: traced, source: "synthetic:field?width=160&height=120", fps: 10}
`;
    const { topics, agent } = await startAgent('traced', { config, variables: sink.variables });
    const enough = async () => (await recordCount(broker, topics.frames.name)) >= 20;
    await agent.until('20 frames are published', 40_000, enough);
    expect(await agent.stop()).toBe(0);
    const records = await readTopic(broker, topics.frames.name);
    const parents = records.flatMap(({ headers }) => traceparentOf(headers) ?? []);
    expect(parents.length).toBeGreaterThan(0);
    expect(parents.length).toBeLessThan(records.length);
    for (const parent of parents) {
      const [, traceId, spanId] = parent.split('-');
      const spans = sink.spans().filter((span) => span.traceId === traceId);
      const next = (from: string | undefined) =>
        spans.find(({ parentSpanId }) => parentSpanId === from);
      const capture = next(undefined);
      const wait = next(capture?.spanId);
      const encode = next(wait?.spanId);
      const publish = next(encode?.spanId);
      expect([capture, wait, encode, publish].map((span) => span?.name)).toEqual([
        'capture',
        'await encoder',
        'encode',
        `send ${topics.frames.name}`,
      ]);
      expect(publish?.spanId, 'the header names the publish span').toBe(spanId);
      expect(publish?.service).toBe('halfsight-camera');
    }
  });

  it('exits with 2, naming key and line, when its config is wrong', async () => {
    const config = 'cameras:\n  - id: a\n    source: synthetic:street\n    fps: 1000\n';
    const { agent } = await startAgent('wrong', { config });
    expect(await agent.exited()).toBe(2);
    expect(agent.log).toContain('cameras[0].fps: must be a number from 0.1 to 60');
    expect(agent.log).toContain('agent.yaml:4');
  });

  it('exits with 1 and advice when its topics do not exist', async () => {
    const config = 'cameras:\n  - {id: a, source: "synthetic:street"}\n';
    agent = new AgentProcess({ config, brokers, prefix: `${prefix}-missing` });
    expect(await agent.exited()).toBe(1);
    expect(agent.log).toContain('topic-missing');
  });
});
