import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type {
  CameraAnswer,
  CameraResults,
  FleetAnswer,
  FrameAnswer,
} from '#consumers/dashboard/protocol.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { until } from '#test/fixtures/until.ts';
import { WallPage, WallProcess } from '#test/fixtures/wall-child.ts';
import { createTopics, openBroker, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

/** A real agent, a real consumer and a real wall; what a page on it sees. */

const CAMERAS = ['gate', 'yard'];
const PATIENCE_MS = 40_000;

const running: { stop(signal?: 'SIGKILL'): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop('SIGKILL')));
});

async function openWall(label: string, variables: Readonly<Record<string, string>> = {}) {
  const { brokers, redisUrl, prefix } = sharedStack(label);
  await createTopics(openBroker(brokers), topicTable({ prefix, partitionCount: 2 }));
  const wall = new WallProcess({
    brokers,
    prefix,
    variables: { REDIS_URL: redisUrl, ...variables },
  });
  running.push(wall);
  return { brokers, prefix, wall, address: await wall.address };
}

function startAgent(brokers: readonly string[], prefix: string): void {
  const source = 'synthetic:street?width=160&height=120';
  const cameras = CAMERAS.map((id) => `  - {id: ${id}, source: "${source}", fps: 4}`);
  const config = `agent: {id: wall-agent}\ncameras:\n${cameras.join('\n')}\n`;
  running.push(new AgentProcess({ config, brokers, prefix }));
}

function openPage(address: string, headers?: Readonly<Record<string, string>>): WallPage {
  const page = new WallPage(address, headers);
  onTestFinished(() => page.close());
  return page;
}

async function ask<T>(address: string, path: string): Promise<T> {
  const response = await fetch(`http://${address}${path}`);
  expect(response.status, path).toBe(200);
  return (await response.json()) as T;
}

describe('the wall', () => {
  it('shows cameras, and tells of a killed consumer, and that a new one answers', async () => {
    const { brokers, prefix, wall, address } = await openWall('wall-silent');
    const page = openPage(address);
    startAgent(brokers, prefix);
    const consumer = startInference(brokers, prefix);
    const sees = (what: string, condition: () => boolean) =>
      until(condition, PATIENCE_MS, () => `${what}: ${JSON.stringify(page.fleet)}\n${wall.output}`);
    await sees('rows', () => CAMERAS.every((id) => page.rows.get(id)?.state === 'online'));
    page.watch(CAMERAS);
    await sees('results', () => CAMERAS.every((id) => page.results.has(id)));
    const first = new Map([...page.results].map(([id, { frameId }]) => [id, frameId]));
    await sees('moving results', () =>
      CAMERAS.every((id) => page.results.get(id)?.frameId !== first.get(id)),
    );
    let shown: CameraResults | undefined;
    // Those of a frame come one by one.
    await sees('results of all heads', () => {
      shown = page.results.get('gate');
      return TASKS.every((task) => shown?.[task]?.status === 'ok');
    });
    await sees('answering', () => page.fleet?.consumers.state === 'answering');
    await looksThingsUp(address, shown?.frameId ?? '');
    await consumer.kill();
    await sees('silent', () => page.fleet?.consumers.state === 'silent');
    expect(page.fleet?.troubles[0]).toMatchObject({ severity: 'critical' });
    expect(page.fleet?.troubles[0]?.text).toMatch(/^Consumers do not answer\. \d+ frames wait/);
    const { nowUs, consumers } = page.fleet ?? { nowUs: 0, consumers: { sinceUs: 0 } };
    // By the wall's own account; how long a busy machine took to tell is nobody's matter here.
    expect((nowUs - consumers.sinceUs) / 1000).toBeGreaterThan(LIMITS.wallSilentAfterMs);
    const restarted = startInference(brokers, prefix);
    await sees('answering again', () => page.fleet?.consumers.state === 'answering');
    await restarted.stop();
    expect(await wall.stop()).toBe(0);
    await until(
      () => page.closeCode !== undefined,
      PATIENCE_MS,
      () => 'the page is still open',
    );
    expect(page.closeCode).toBe(1001);
  });

  it('knows at once what cameras there were before it began', async () => {
    const { brokers, prefix, wall } = await openWall('wall-past');
    startAgent(brokers, prefix);
    const isOnline = (page: WallPage) =>
      CAMERAS.every((id) => page.rows.get(id)?.state === 'online');
    const first = openPage(await wall.address);
    await until(
      () => isOnline(first),
      PATIENCE_MS,
      () => wall.output,
    );
    await running[1]?.stop();
    const later = new WallProcess({ brokers, prefix });
    running.push(later);
    const page = openPage(await later.address);
    await until(
      () => CAMERAS.every((id) => page.rows.get(id)?.detail === 'the agent was stopped'),
      PATIENCE_MS,
      () => `${JSON.stringify([...page.rows.values()])}\n${later.output}`,
    );
  });

  it('refuses strangers and nonsense, and says why', async () => {
    const token = 'a-token-that-is-long-enough';
    const { address } = await openWall('wall-refuses', { HALFSIGHT_WALL_TOKEN: token });
    const status = async (headers: Readonly<Record<string, string>>) =>
      (await fetch(`http://${address}/api/fleet`, { headers })).status;
    const bearer = { authorization: `Bearer ${token}` };
    expect(await status({})).toBe(401);
    expect(await status({ authorization: 'Bearer somebody-elses-token' })).toBe(401);
    expect(await status(bearer)).toBe(200);
    const foreign = openPage(address, { ...bearer, origin: 'https://page.example' });
    const nobody = openPage(address);
    await until(
      () => foreign.closeCode !== undefined && nobody.closeCode !== undefined,
      PATIENCE_MS,
      () => 'strangers are let in',
    );
    const page = openPage(address, { ...bearer, origin: `http://${address}` });
    await until(
      () => page.fleet !== undefined,
      PATIENCE_MS,
      () => 'no fleet is told',
    );
    page.send('nonsense');
    page.watch(['no-such-camera']);
    page.send('x'.repeat(LIMITS.wallMessageBytesMax + 1));
    await until(
      () => page.refused.length === 3,
      PATIENCE_MS,
      () => page.refused.join(),
    );
    expect(page.refused).toEqual(['message-invalid', 'camera-unknown', 'message-too-large']);
    page.send('x'.repeat(8 * LIMITS.wallMessageBytesMax));
    await until(
      () => page.closeCode === 1009,
      PATIENCE_MS,
      () => `${page.closeCode}`,
    );
  });
});

/** What the page asks for over HTTP: the fleet, a camera, its frames, and one of them. */
async function looksThingsUp(address: string, frameId: string): Promise<void> {
  const fleet = await ask<FleetAnswer>(address, '/api/fleet');
  expect(fleet.topics.find(({ name }) => name.endsWith('camera.frame.v1'))).toMatchObject({
    partitionCount: 2,
    records: expect.any(Number),
  });
  expect(fleet.partitions).toHaveLength(2);
  expect(fleet.jobs).toMatchObject({ state: 'known', newest: [] });
  const camera = await ask<CameraAnswer>(address, '/api/cameras/gate');
  expect(camera.camera).toMatchObject({ cameraId: 'gate', agentId: 'wall-agent' });
  const frame = await ask<FrameAnswer>(address, `/api/frames/${frameId}`);
  expect(frame).toMatchObject({
    frameId,
    inspection: { found: true, frame: { cameraId: 'gate' } },
    results: { frameId, cameraId: 'gate' },
  });
  expect(frame.origins.map(({ task }) => task).sort()).toEqual([
    ...['classification', 'detection', 'segmentation'],
  ]);
  expect(frame.origins[0]?.lineage.bundleDigest).toMatch(/^[0-9a-f]{64}$/);
}
