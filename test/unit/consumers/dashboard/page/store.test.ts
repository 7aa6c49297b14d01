import { effect } from '@preact/signals';
import { describe, expect, it } from 'vitest';
import { WallStore } from '#consumers/dashboard/page/store.ts';
import type { HelloMessage, ServerMessage } from '#consumers/dashboard/protocol.ts';
import { cameraName, fleetAt, resultsAt, rowAt } from '#test/fixtures/wall-scene.ts';

const SERVER_MS = 1_700_000_100_000;
const PAGE_MS = 1_700_000_000_000;

const hello: HelloMessage = {
  type: 'hello',
  version: '1',
  prefix: 'halfsight',
  heads: ['detection'],
  nowUs: SERVER_MS * 1_000,
  watchedMax: 10,
};

function storeWith(...messages: ServerMessage[]): WallStore {
  const store = new WallStore();
  for (const message of [hello, ...messages]) store.enter(message, PAGE_MS);
  return store;
}

const rows = (...indices: number[]): ServerMessage => {
  return { type: 'cameras', cameras: indices.map((index) => rowAt(index, SERVER_MS)) };
};
const fleet = fleetAt(2, SERVER_MS);
const ids = (store: WallStore) => store.rows().map(({ cameraId }) => cameraId);

describe('WallStore', () => {
  it('goes by the clock of the server', () => {
    const store = storeWith();
    store.tick(PAGE_MS + 3_000);
    expect(store.nowMs.value).toBe(SERVER_MS + 3_000);
    expect(store.pageMs.value).toBe(PAGE_MS + 3_000);
  });

  it('tells whoever shows a camera of that one only', () => {
    const store = storeWith(rows(0, 1));
    let renders = 0;
    const stop = effect(() => {
      store.row(cameraName(0))?.value;
      renders += 1;
    });
    store.enter(rows(1), PAGE_MS);
    expect(renders).toBe(1);
    store.enter(rows(0), PAGE_MS);
    expect(renders).toBe(2);
    stop();
  });

  it('counts changes of which cameras there are, not of how they are', () => {
    const store = storeWith(rows(0, 1));
    const before = store.membership.value;
    store.enter(rows(0, 1), PAGE_MS);
    expect(store.membership.value).toBe(before);
    store.enter({ type: 'gone', cameraIds: [cameraName(0)] }, PAGE_MS);
    expect(store.membership.value).toBeGreaterThan(before);
    expect(ids(store)).toEqual([cameraName(1)]);
  });

  it('hands results to who draws that camera, until it stops', () => {
    const store = storeWith(rows(0, 1));
    const seen: string[] = [];
    const stop = store.onResults(cameraName(0), ({ frameId }) => seen.push(frameId));
    const results = [resultsAt(0, SERVER_MS), resultsAt(1, SERVER_MS)];
    store.enter({ type: 'results', cameras: results }, PAGE_MS);
    stop();
    store.enter({ type: 'results', cameras: results }, PAGE_MS);
    expect(seen).toEqual([results[0]?.frameId]);
    expect(store.results(cameraName(1))).toBe(results[1]);
  });

  it('keeps the rows through a reconnect, and forgets those that the server does not know', () => {
    const store = storeWith(rows(0, 1), hello);
    expect(ids(store)).toEqual([cameraName(0), cameraName(1)]);
    store.enter(rows(1), PAGE_MS);
    for (let second = 0; second < 9; second++) store.enter(fleet, PAGE_MS);
    expect(ids(store)).toEqual([cameraName(0), cameraName(1)]);
    store.enter(fleet, PAGE_MS);
    expect(ids(store)).toEqual([cameraName(1)]);
  });
});
