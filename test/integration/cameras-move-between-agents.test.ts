import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import type { CameraEntry } from '#producers/fleet/registry.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import { decodeFrame } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { runNode } from '#test/fixtures/collected-child.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { readStatuses, readTopic } from './camera-agent-process.ts';
import { sharedStack } from './stack.ts';

/** Real agents and a real registry: cameras are added, changed, taken over and drained. */

const HALFSIGHT = join(import.meta.dirname, '../../infra/command/halfsight.mjs');
const { brokers, redisUrl, prefix } = sharedStack('fleet-cameras');
const topics = topicTable({ prefix, partitionCount: 2 });
const broker = openKafka(
  { brokers, clientId: 'fleet-cameras-test', tls: undefined, sasl: undefined },
  { clock: systemClock, logger: silentLogger },
);
const registry = new RedisRegistry({
  redis: plainRedis(redisUrl),
  prefix,
  clock: systemClock,
});
const spools = new Map<string, string>();
const agents: AgentProcess[] = [];

afterAll(async () => {
  for (const agent of agents) await agent.stop('SIGKILL');
  await registry.close();
  await broker.close();
});

/** With the spool of its predecessor of that name. */
function startAgent(id: string): AgentProcess {
  const spool = spools.get(id) ?? mkdtempSync(join(tmpdir(), 'halfsight-fleet-'));
  spools.set(id, spool);
  const config = `
agent: {id: ${id}, encoderWorkers: 1}
spool: {directory: ${spool}, megabytes: 4}
fleet: {framesPerSecondMax: 100}
`;
  const agent = new AgentProcess({ config, brokers, prefix, variables: { REDIS_URL: redisUrl } });
  agents.push(agent);
  return agent;
}

function cameras(...args: readonly string[]) {
  const variables = { REDIS_URL: redisUrl, KAFKA_TOPIC_PREFIX: prefix };
  return runNode(HALFSIGHT, ['cameras', ...args], { variables });
}

function ownersOf(listed: readonly CameraEntry[]): string[] {
  return listed.map(({ placement }) => ('agentId' in placement ? placement.agentId : '-'));
}

function untilListed(
  what: string,
  check: (listed: readonly CameraEntry[]) => boolean,
): Promise<number> {
  return until(
    async () => check((await registry.list()).cameras),
    40_000,
    async () => {
      const { output } = await cameras('list');
      return `${what}\n${output}${agents.map(({ log }) => log).join('\n')}`;
    },
    100,
  );
}

const isOnline = ({ live }: CameraEntry) => live?.state === 'online' && live.framesPerSecond > 0;

it('each frame is accounted for by one agent, whoever has its camera by then', async () => {
  await broker.ensureTopics(topicSpecs(topics));
  const north = startAgent('north');
  startAgent('south');
  const source = 'synthetic:yard?width=160&height=120';
  for (let index = 0; index < 4; index++) {
    const added = await cameras('add', `cam-${index}`, '--source', source);
    expect(added).toMatchObject({ code: 0, errors: '' });
  }
  expect(await cameras('add', 'cam-0', '--source', source)).toMatchObject({ code: 1 });
  const refused = await cameras('set', 'cam-0', '--source', 'synthetic:yrd');
  expect(refused.code).toBe(2);
  expect(refused.errors).toContain('--source names no scene: "yrd"; did you mean "yard"?');
  await untilListed('all are online, and both agents have some', (listed) => {
    return listed.every(isOnline) && new Set(ownersOf(listed)).size === 2;
  });

  expect(await cameras('set', 'cam-0', '--fps', '9')).toMatchObject({ code: 0 });
  await untilListed('the rate has changed', ([first]) => (first?.live?.framesPerSecond ?? 0) > 6);

  await north.stop('SIGKILL');
  const tookMs = await untilListed('south has all', (listed) =>
    ownersOf(listed).every((owner) => owner === 'south'),
  );
  expect(tookMs).toBeLessThan(LIMITS.fleetTakeOverMs);
  await untilListed('all are online', (listed) => listed.every(isOnline));

  startAgent('north');
  await untilListed('north has its part again', (listed) => {
    return listed.every(isOnline) && ownersOf(listed).includes('north');
  });
  const drained = await cameras('drain', 'cam-1', 'cam-2');
  expect(drained).toMatchObject({ code: 0, errors: '' });
  const { output } = await cameras('list', '--json');
  const lines = output.trim().split('\n');
  const states = lines.map((line) => (JSON.parse(line) as CameraEntry).placement.state);
  expect(states).toEqual(['owned', 'disabled', 'disabled', 'owned']);
  for (const agent of agents.slice(1)) expect(await agent.stop()).toBe(0);
  await checkBooks();
});

async function checkBooks(): Promise<void> {
  const finals = new Map<string, CameraStatus>();
  const agentsOf = new Map<string, Set<string>>();
  for (const status of await readStatuses(broker, topics)) {
    if (status.epoch === 0) continue;
    const name = `${status.cameraId}-${status.epoch}`;
    agentsOf.set(name, (agentsOf.get(name) ?? new Set()).add(status.agentId));
    if (status.final) finals.set(name, status);
  }
  const sequences = new Map<string, Set<number>>();
  for (const { value } of await readTopic(broker, topics.frames.name)) {
    const { cameraId, epoch, sequence } = decodeFrame(value, singleObjectFraming());
    const name = `${cameraId}-${epoch}`;
    sequences.set(name, (sequences.get(name) ?? new Set()).add(sequence));
  }
  expect([...sequences.keys()].filter((name) => !finals.has(name))).toEqual([]);
  for (const [name, { captured, published, dropped, interrupted }] of finals) {
    expect(agentsOf.get(name)?.size, name).toBe(1);
    expect(captured, name).toBe(Object.values(dropped).reduce((sum, one) => sum + one, published));
    const found = sequences.get(name)?.size ?? 0;
    if (interrupted) expect(found, name).toBeGreaterThanOrEqual(published);
    else expect(found, name).toBe(published);
    expect(dropped, name).not.toHaveProperty('not-owner');
  }
  // At least one for each owner that each camera had.
  expect(finals.size).toBeGreaterThanOrEqual(6);
}
