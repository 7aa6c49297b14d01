import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { until } from '#test/fixtures/until.ts';
import { makeTestClip, publishClip, startRtspRelay } from '#test/integration/rtsp-relay.ts';
import { recordCamera } from './recorded-camera.ts';

test('a source that stalls with its connection open is given up and opened again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-stall-'));
  const clip = join(folder, 'clip.mp4');
  await makeTestClip(clip);
  const relay = await startRtspRelay();
  const stopPublisher = await publishClip(clip, relay, 'yard');
  const camera = recordCamera({ url: relay.url('yard'), noFrameTimeoutMs: 3_000 });
  const healthy = recordCamera({ url: clip, loop: true });
  try {
    await until(() => camera.frames.length >= 3, 30_000, 'frames flow');
    relay.stall();
    await until(() => camera.states.at(-1)?.state === 'offline', 30_000, 'the stall is noticed');
    expect(camera.states.at(-1)?.detail).toMatch(/^source-stalled: No frame of rtsp:/);
    const stalled = camera.frames.length;
    const others = healthy.frames.length;
    await until(() => healthy.frames.length >= others + 3, 30_000, 'a healthy camera goes on');
    relay.resume();
    await until(() => camera.frames.length >= stalled + 3, 30_000, 'frames flow again');
    expect(new Set(camera.frames.map((frame) => frame.epoch)).size).toBe(2);
  } finally {
    await Promise.all([camera.stop(), healthy.stop()]);
    await stopPublisher();
    await relay.stop();
    await rm(folder, { recursive: true });
  }
});
