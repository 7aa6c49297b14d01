import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { RedisRegistry } from '#producers/fleet/redis-registry.ts';
import type { CameraEntry } from '#producers/fleet/registry.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import { LIMITS } from '#runtime/limits.ts';
import { wanted } from '#test/contract/registry.ts';
import { plainRedis } from '#test/fixtures/plain-redis.ts';
import { until } from '#test/fixtures/until.ts';
import { sharedStack } from './stack.ts';

/** A thousand cameras with stub pixels over four agents, each a process. */

const CAMERAS = 1_000;
const { redisUrl: url, prefix } = sharedStack('fleet');
const redis = plainRedis(url);
const registry = new RedisRegistry({ redis, prefix, clock: systemClock });
const members: Member[] = [];

afterAll(async () => {
  for (const member of members) member.kill('SIGKILL');
  await registry.close();
});

interface Published {
  readonly agentId: string;
  readonly atMs: number;
  readonly epoch: number;
}

/** By camera, in the order of time as the agents tell it: they share a clock. */
const published = new Map<string, Published[]>();

class Member {
  readonly agentId: string;
  readonly #child: ChildProcess;

  constructor(agentId: string) {
    this.agentId = agentId;
    const main = join(import.meta.dirname, 'fleet-member-main.ts');
    this.#child = fork(main, [url, prefix, agentId, '400'], { execArgv: [...HEAP_OPTIONS] });
    this.#child.on('message', (message) => {
      const { atMs, frames } = message as { atMs: number; frames: [string, number][] };
      for (const [cameraId, epoch] of frames) {
        const ofCamera = published.get(cameraId) ?? [];
        ofCamera.push({ agentId, atMs, epoch });
        published.set(cameraId, ofCamera);
      }
    });
    members.push(this);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

function nowMs(): number {
  return systemClock.nowUs() / 1000;
}

/** Waits until every camera has published after `sinceMs`, by none of `but`; returns how long. */
async function allPublish(sinceMs: number, but: readonly string[]): Promise<number> {
  const isThere = (one: Published) => one.atMs > sinceMs && !but.includes(one.agentId);
  const missing = () =>
    CAMERAS - [...published.values()].filter((ofOne) => ofOne.some(isThere)).length;
  while (missing() > 0) {
    if (nowMs() - sinceMs > 60_000) expect.fail(`${missing()} cameras do not publish`);
    await systemClock.sleep(100);
  }
  return nowMs() - sinceMs;
}

function brokenLaws(): string[] {
  return [...published].flatMap(([cameraId, frames]) => {
    const inTime = frames.toSorted((a, b) => a.atMs - b.atMs);
    return inTime.flatMap((frame, index) => {
      const before = inTime[index - 1];
      if (before === undefined || before.epoch < frame.epoch) return [];
      if (before.epoch === frame.epoch && before.agentId === frame.agentId) return [];
      return [`${cameraId}: ${JSON.stringify(before)}, then ${JSON.stringify(frame)}`];
    });
  });
}

async function placements(): Promise<CameraEntry[]> {
  return [...(await registry.list()).cameras];
}

it('other agents publish the cameras of one that died, and of one that was stopped', async () => {
  for (let index = 0; index < CAMERAS; index++) await registry.put(wanted(`cam-${index}`));
  for (const agentId of ['north', 'east', 'south', 'west']) new Member(agentId);
  await allPublish(nowMs(), []);
  // Three have room for all; one that came late has some of theirs a moment later.
  const owners = () => new Set([...published.values()].map((ofOne) => ofOne.at(-1)?.agentId));
  await until(
    () => owners().size === 4,
    60_000,
    () => `cameras of ${[...owners()].join()} only`,
  );
  const [north, east] = members as [Member, Member];

  const killedMs = nowMs();
  north.kill('SIGKILL');
  const tookMs = await allPublish(killedMs, ['north']);
  expect(tookMs).toBeLessThan(LIMITS.fleetTakeOverMs);
  expect(tookMs).toBeGreaterThan(LIMITS.fleetLeaseMs - 2_000);

  const stoppedMs = nowMs();
  east.kill('SIGSTOP');
  // Two agents have room for 800 of the 1,000.
  let full: CameraEntry[] = [];
  const areFull = async () => {
    full = (await placements()).filter(({ placement }) => placement.state === 'unplaced');
    return full.length === 200;
  };
  await until(areFull, 60_000, 'two agents that are full', 250);
  expect(full[0]?.placement).toEqual({
    state: 'unplaced',
    reason: '2 agents are at their limit of 400 cameras',
  });
  const wokenMs = nowMs();
  east.kill('SIGCONT');
  await allPublish(wokenMs, ['north']);
  const late = [...published.values()]
    .flat()
    .filter(({ agentId, atMs }) => agentId === 'east' && atMs > stoppedMs + 7_500);
  for (const { atMs, epoch } of late) {
    // Nothing of its old epochs, and of new ones what it took anew.
    expect(epoch).toBeGreaterThan(stoppedMs);
    expect(atMs).toBeGreaterThan(wokenMs);
  }
  expect(late.length).toBeGreaterThan(0);
  expect(brokenLaws()).toEqual([]);
  const live = (await placements()).filter((entry) => entry.live !== undefined);
  expect(defined(live[0]?.live, 'a live status')).toMatchObject({ state: 'online' });
});
