import { describe, expect, it } from 'vitest';
import { LiveChannel, type Socket } from '#consumers/dashboard/page/live.ts';
import { WallStore } from '#consumers/dashboard/page/store.ts';
import type { ServerMessage } from '#consumers/dashboard/protocol.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { cameraName, fleetAt, rowAt } from '#test/fixtures/wall-scene.ts';

class FakeSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  readonly sent: string[] = [];
  isClosed = false;

  send(text: string): void {
    this.sent.push(text);
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

function start() {
  const clock = new ManualClock();
  const store = new WallStore();
  const sockets: FakeSocket[] = [];
  let refused = 0;
  const live = new LiveChannel({
    store,
    clock,
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    onRefused: () => {
      refused += 1;
    },
  });
  live.start();
  const welcome = (socket: FakeSocket | undefined) => {
    socket?.onopen?.();
    socket?.say({
      type: 'hello',
      version: '1',
      prefix: 'halfsight',
      heads: [],
      nowUs: clock.nowUs(),
      watchedMax: 2,
    });
  };
  return { clock, store, sockets, live, welcome, refused: () => refused };
}

const rows = (...indices: number[]): ServerMessage => {
  return { type: 'cameras', cameras: indices.map((index) => rowAt(index, 0)) };
};
const watching = (...indices: number[]) =>
  JSON.stringify({ type: 'watch', cameraIds: indices.map(cameraName) });

describe('LiveChannel', () => {
  it('asks for the cameras in view that have a row, once, and no more than may be watched', () => {
    const { sockets, live, welcome } = start();
    welcome(sockets[0]);
    live.watch([0, 1, 2].map(cameraName));
    sockets[0]?.say(rows(1));
    sockets[0]?.say(rows(1));
    sockets[0]?.say(rows(0, 2));
    const empty = JSON.stringify({ type: 'watch', cameraIds: [] });
    expect(sockets[0]?.sent).toEqual([empty, watching(1), watching(0, 1)]);
  });

  it('connects again after longer and longer pauses, and says since when', async () => {
    const { clock, store, sockets, welcome, refused } = start();
    welcome(sockets[0]);
    expect(store.link.value).toEqual({ state: 'open' });
    const lostMs = clock.nowUs() / 1_000;
    sockets[0]?.onclose?.();
    const pauses = [1, 2, 4, 8, 16, 16].map((factor) => factor * LIMITS.wallReconnectDelayMsMin);
    for (const [attempt, pauseMs] of pauses.entries()) {
      expect(sockets).toHaveLength(attempt + 1);
      const retryAtMs = clock.nowUs() / 1_000 + pauseMs;
      expect(store.link.value).toEqual({ state: 'lost', sinceMs: lostMs, retryAtMs });
      await clock.advance(pauseMs);
      sockets.at(-1)?.onclose?.();
    }
    expect(refused()).toBe(pauses.length);
  });

  it('is well again with the first message, and asks again for what is in view', async () => {
    const { clock, store, sockets, live, welcome } = start();
    welcome(sockets[0]);
    sockets[0]?.say(rows(1));
    live.watch([cameraName(1)]);
    sockets[0]?.onclose?.();
    await clock.advance(LIMITS.wallReconnectDelayMsMin);
    expect(store.link.value.state).toBe('lost');
    welcome(sockets[1]);
    expect(store.link.value).toEqual({ state: 'open' });
    expect(sockets[1]?.sent).toEqual([watching(1)]);
    sockets[1]?.onclose?.();
    const nowMs = clock.nowUs() / 1_000;
    const retryAtMs = nowMs + LIMITS.wallReconnectDelayMsMin;
    expect(store.link.value).toEqual({ state: 'lost', sinceMs: nowMs, retryAtMs });
  });

  it('takes a server that says nothing for lost', async () => {
    const { clock, store, sockets, welcome } = start();
    welcome(sockets[0]);
    await clock.advance(LIMITS.wallServerSilentMs - 1_000);
    sockets[0]?.say(fleetAt(1, 0));
    await clock.advance(LIMITS.wallServerSilentMs);
    expect(store.link.value.state).toBe('open');
    await clock.advance(1_000);
    expect(store.link.value.state).toBe('lost');
    expect(sockets[0]?.isClosed).toBe(true);
  });

  it('tries at once when asked, and leaves nothing behind when it is stopped', async () => {
    const { clock, sockets, live, welcome } = start();
    welcome(sockets[0]);
    live.retry();
    expect(sockets).toHaveLength(1);
    sockets[0]?.onclose?.();
    live.retry();
    expect(sockets).toHaveLength(2);
    live.stop();
    expect(clock.timerCount).toBe(0);
    expect(sockets[1]?.isClosed).toBe(true);
  });
});
