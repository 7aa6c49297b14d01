import { expect, it } from 'vitest';
import { LAW } from '#producers/camera/rate/law.ts';
import { LinkMonitor } from '#producers/camera/rate/link-monitor.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const FRAME_BYTES = 3_500;
const LOAD = { used: 17_500, wanted: 17_500 };

async function monitorOfGoodLine() {
  const clock = new ManualClock();
  const monitor = new LinkMonitor({ clock });
  const look = async (waitingBytes: number) => {
    await clock.advance(LAW.intervalMs);
    monitor.look(waitingBytes, LOAD);
  };
  for (let index = 0; index < 60; index++) {
    monitor.acknowledged(FRAME_BYTES, 60);
    await look(FRAME_BYTES);
  }
  expect(monitor.allowed).toBe(Number.POSITIVE_INFINITY);
  return { clock, monitor, look };
}

it('takes a send that was asked for again for no measure of the line', async () => {
  const { monitor, look } = await monitorOfGoodLine();
  monitor.acknowledged(FRAME_BYTES, LIMITS.requestTimeoutMs + 2_000);
  for (let index = 0; index < 3; index++) await look(60 * FRAME_BYTES);
  expect(monitor.allowed).toBe(Number.POSITIVE_INFINITY);
});

it('allows less than a line that is behind carries, at the second look', async () => {
  const { clock, monitor, look } = await monitorOfGoodLine();
  const { send } = monitor.watch({ send: () => clock.sleep(4_000) });
  const record = { topic: 'frames', key: 'gate', value: new Uint8Array(16_000), headers: {} };
  const sent = send([record]);
  for (let index = 0; index < 8; index++) await look(16_000);
  await sent;
  expect(monitor.allowed, 'what waits drains in 4 s, at the first look').toBe(Infinity);
  await look(20_000);
  // 16,000 bytes in 4 s, and 5 s to drain.
  expect(monitor.allowed).toBeCloseTo(4_000 * (0.85 - 0.5), 0);
});

it('says what a line carries that keeps up with the frames, and nothing of another', async () => {
  expect(new LinkMonitor({ clock: new ManualClock() }).openCapacity).toBe(0);
  const { monitor, look } = await monitorOfGoodLine();
  expect(monitor.openCapacity).toBeCloseTo(FRAME_BYTES / 0.06, 0);
  for (let index = 0; index < 4; index++) {
    monitor.acknowledged(FRAME_BYTES, 2_000);
    await look(20 * FRAME_BYTES);
  }
  expect(monitor.allowed).not.toBe(Number.POSITIVE_INFINITY);
  expect(monitor.openCapacity).toBe(0);
});

it('learns nothing from a send that fails', async () => {
  const { monitor, look } = await monitorOfGoodLine();
  const failure = new HalfsightError('publish-failed', 'nobody there.');
  const { send } = monitor.watch({ send: () => Promise.reject(failure) });
  await expect(send([])).rejects.toBe(failure);
  for (let index = 0; index < 3; index++) await look(60 * FRAME_BYTES);
  expect(monitor.allowed).toBe(Number.POSITIVE_INFINITY);
});
