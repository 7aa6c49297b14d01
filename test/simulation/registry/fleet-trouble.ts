import { defined } from '#runtime/assert.ts';
import { wanted } from '#test/contract/registry.ts';
import type { FleetWorld, Slot } from './fleet-world.ts';

/** What can happen to a fleet; each takes some seconds, and heals. */
type Fault = (world: FleetWorld, slot: Slot, ms: number) => Promise<void>;

const FAULTS: Readonly<Record<string, Fault>> = {
  'agent-killed': async (world, slot, ms) => {
    world.kill(slot);
    await world.time.sleep(ms);
    if (slot.process === undefined) world.start(slot);
  },
  'agent-stopped': async (world, slot, ms) => {
    const { process } = slot;
    if (process === undefined) return;
    await Promise.race([process.agent.stop(), world.time.sleep(20_000)]);
    if (slot.process === process) world.kill(slot);
    await world.time.sleep(ms);
    if (slot.process === undefined) world.start(slot);
  },
  'agent-frozen': async (world, slot, ms) => {
    const host = slot.process?.host;
    host?.freeze();
    await world.time.sleep(ms);
    host?.thaw();
  },
  'line-cut': async (world, slot, ms) => {
    slot.link.state = 'cut';
    await world.time.sleep(ms);
    slot.link.state = 'up';
  },
  'line-slow': async (world, slot, ms) => {
    slot.link.state = 'slow';
    await world.time.sleep(ms);
    slot.link.state = 'up';
  },
  'wall-clock-set': async (world, slot, ms) => {
    slot.machine.wallOffsetMs += world.random.integer(7_200_000) - 3_600_000;
    await world.time.sleep(ms);
    slot.machine.wallOffsetMs = 0;
  },
  'registry-killed': (world, _, ms) => killRegistry(world, ms),
  'registry-lost-a-second': async (world, _, ms) => {
    const { server } = world;
    if (server.state !== 'up') return;
    server.stopWriting();
    await world.time.sleep(world.random.integer(1_000));
    if (server.state === 'up') await killRegistry(world, ms);
    else server.writeAgain();
  },
  'registry-silent': async ({ server, time }, _, ms) => {
    if (server.state !== 'up') return;
    server.state = 'silent';
    await time.sleep(ms);
    if (server.state === 'silent') server.state = 'up';
  },
  'registry-clock-set': async ({ server, random }) => {
    // Far, or by so little that it does not look like a step.
    const stepMs = random.next() < 0.5 ? 7_200_000 : 4_000;
    server.wallOffsetMs += random.integer(stepMs) - stepMs / 2;
  },
};

async function killRegistry({ server, time, random }: FleetWorld, ms: number): Promise<void> {
  if (server.state !== 'up') return;
  server.state = 'down';
  await time.sleep(ms);
  server.state = 'loading';
  await time.sleep(random.integer(3_000));
  server.restart();
}

/** Faults for `ms`, two at a time, and operators at work; resolves when all has healed. */
export async function makeTrouble(world: FleetWorld, ms: number): Promise<void> {
  const { time, random } = world;
  const endMs = time.monotonicMs() + ms;
  const names = Object.keys(FAULTS);
  const strike = async () => {
    while (time.monotonicMs() < endMs) {
      await time.sleep(random.integer(12_000));
      const slot = defined(world.slots[random.integer(world.slots.length)], 'a slot');
      const name = defined(names[random.integer(names.length)], 'a fault');
      world.counts[name] = (world.counts[name] ?? 0) + 1;
      await defined(FAULTS[name], name)(world, slot, 500 + random.integer(25_000));
    }
  };
  await Promise.all([strike(), strike(), operate(world, endMs)]);
}

async function operate(world: FleetWorld, endMs: number): Promise<void> {
  const { time, random, cameras } = world;
  let added = 0;
  while (time.monotonicMs() < endMs) {
    await time.sleep(random.integer(1_000));
    const ids = [...cameras.keys()];
    const camera = defined(cameras.get(ids[random.integer(ids.length)] ?? ''), 'a camera');
    const actions = [
      () => world.put({ ...camera, enabled: !camera.enabled }),
      () => world.put({ ...camera, enabled: true, framesPerSecond: 4 + random.integer(3) }),
      () => world.put(wanted(`new-${added++}`)),
      () => world.remove(camera.id),
    ];
    // While the registry is away, operators are told so.
    await defined(actions[random.integer(actions.length)], 'an action')().catch(() => undefined);
  }
}
