import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '#test/fixtures/until.ts';
import { makeTestClip, publishClip, startRtspRelay } from '#test/integration/rtsp-relay.ts';
import { recordCamera } from './recorded-camera.ts';

let folder = '';
let clip = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'halfsight-rtsp-'));
  clip = join(folder, 'clip.mp4');
  await makeTestClip(clip);
});

afterAll(async () => await rm(folder, { recursive: true }));

test('a camera whose RTSP server restarts comes back by itself, as a new epoch', async () => {
  const first = await startRtspRelay();
  const port = first.port;
  const stopFirst = await publishClip(clip, first, 'yard');
  const camera = recordCamera({ url: first.url('yard') });
  try {
    await until(() => camera.frames.length >= 5, 30_000, 'frames flow');
    expect(camera.frames[0]?.image).toMatchObject({
      timeSource: 'wall',
      sourceWidth: 640,
      sourceHeight: 352,
      content: { x: 0, y: 93, width: 416, height: 229 },
    });

    await first.stop();
    await stopFirst();
    await until(() => camera.states.at(-1)?.state === 'offline', 30_000, 'the outage shows');
    const framesBefore = camera.frames.length;

    const second = await startRtspRelay({ port });
    const stopSecond = await publishClip(clip, second, 'yard');
    await until(() => camera.frames.length >= framesBefore + 5, 30_000, 'frames flow again');
    await camera.stop();
    await stopSecond();
    await second.stop();
  } finally {
    await camera.stop();
  }

  const epochs = [...new Set(camera.frames.map((frame) => frame.epoch))];
  expect(epochs).toHaveLength(2);
  expect(epochs[1]).toBeGreaterThan(epochs[0] ?? Number.POSITIVE_INFINITY);
  for (const epoch of epochs) {
    const sequences = camera.frames.filter((frame) => frame.epoch === epoch).map((f) => f.sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index));
    expect(camera.ended).toContainEqual({ epoch, captured: sequences.length });
  }
  expect(camera.states.map((change) => change.state).filter(isNews)).toEqual([
    'connecting',
    'online',
    'offline',
    'online',
  ]);
  expect(camera.states.at(-1)?.reconnects).toBe(1);
});

/** A camera that stays away says so after each attempt; once is enough here. */
function isNews(state: string, index: number, all: readonly string[]): boolean {
  return state !== all[index - 1];
}

test('a camera that refuses the password is told as such, without the password', async () => {
  const relay = await startRtspRelay({ credentials: { user: 'viewer', password: 'right-horse' } });
  const stopPublisher = await publishClip(clip, relay, 'yard');
  const url = relay.url('yard').replace('right-horse', 'wrong-battery');
  const refused = recordCamera({ url });
  const accepted = recordCamera({ url: relay.url('yard') });
  try {
    await until(() => refused.states.at(-1)?.state === 'offline', 30_000, 'the camera is refused');
    const detail = refused.states.at(-1)?.detail ?? '';
    expect(detail).toMatch(/^source-invalid: .*Check the user and the password/);
    expect(detail).not.toContain('wrong-battery');
    await until(() => accepted.frames.length > 0, 30_000, 'the right password opens it');
    expect(JSON.stringify(accepted.states)).not.toContain('right-horse');
  } finally {
    await Promise.all([refused.stop(), accepted.stop()]);
    await stopPublisher();
    await relay.stop();
  }
});

test('stopping a camera ends its session at the server', async () => {
  const relay = await startRtspRelay();
  const stopPublisher = await publishClip(clip, relay, 'yard');
  const camera = recordCamera({ url: relay.url('yard') });
  await until(() => camera.frames.length > 0, 30_000, 'frames flow');
  expect(relay.readerCount('yard')).toBe(1);
  await camera.stop();
  const count = camera.frames.length;
  await until(() => relay.readerCount('yard') === 0, 5_000, 'the reader is gone');
  expect(camera.frames).toHaveLength(count);
  expect(camera.ended).toEqual([{ epoch: camera.frames[0]?.epoch, captured: count }]);
  await stopPublisher();
  await relay.stop();
});
