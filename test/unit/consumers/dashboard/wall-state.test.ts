import { describe, expect, it } from 'vitest';
import { WallState } from '#consumers/dashboard/wall-state.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CameraStatus } from '#schemas/camera-status.ts';
import type { Result } from '#schemas/result.ts';
import { classification, detection } from '../subscriber/results.ts';
import { received } from './received.ts';

const NOW_MS = 1_700_000_000_000;
const EPOCH = NOW_MS - 60_000;

function status(cameraId: string, changes: Partial<CameraStatus> = {}): CameraStatus {
  return {
    ...{ cameraId, epoch: EPOCH, agentId: 'agent', state: 'online', captured: 5, published: 4 },
    ...{ dropped: { 'encoder-busy': 1 }, reconnects: 0, lastFrameTimeUs: NOW_MS * 1000 },
    ...{ framesPerSecond: 2, ratePoint: 1, framesPerSecondLimit: null, profileChanges: 0 },
    ...{ timeUs: NOW_MS * 1000, final: false, interrupted: false, detail: '' },
    sendsPictures: false,
    ...changes,
  };
}

function enter(state: WallState, result: Result, ageMs = 120): boolean {
  return state.result(result, received(result, ageMs), NOW_MS);
}

function newState() {
  const forgotten: string[] = [];
  const state = new WallState({ onForgotten: (cameraId) => forgotten.push(cameraId) });
  return { state, forgotten };
}

function rowOf(state: WallState, cameraId: string) {
  const texts = state.rows.after(0).rows.map((text) => JSON.parse(text));
  return texts.find((row) => row.cameraId === cameraId);
}

describe('WallState', () => {
  it('makes a row of what agents and results say', () => {
    const { state } = newState();
    state.status(status('gate'), NOW_MS);
    const found = detection([
      ['person', 0.9],
      ['person', 0.8],
      ['car', 0.7],
    ]);
    enter(state, { ...found, epoch: EPOCH });
    enter(state, { ...classification([['street', 0.51234]]), epoch: EPOCH });
    state.tellRows(() => false, NOW_MS);
    expect(rowOf(state, 'gate')).toMatchObject({
      ...{ cameraId: 'gate', state: 'online', agentId: 'agent', captured: 5, published: 4 },
      ...{ dropped: { 'encoder-busy': 1 }, ageMs: 120, kilobytesPerFrame: 0.1 },
      topLabels: [['street', 0.5123]],
      counts: { person: 2, car: 1 },
    });
    expect(state.frames.total(NOW_MS)).toBe(1);
    expect(state.batches.mean(NOW_MS)).toBe(1);
    expect([...state.results.keys()]).toEqual(['detection', 'classification']);
  });

  it('shows the newest frame, whatever comes late', () => {
    const { state } = newState();
    const at = (sequence: number, epoch = EPOCH) => ({
      ...detection([['car', 1]]),
      sequence,
      epoch,
    });
    enter(state, at(7));
    enter(state, { ...at(6), redrives: 1 }, 9_000);
    const view = state.camera('gate');
    expect(view?.resultsVersion).toBe(1);
    expect(JSON.parse(view?.resultsText() ?? '')).toMatchObject({ frameId: `gate-${EPOCH}-7` });
    enter(state, at(0, EPOCH + 1));
    expect(JSON.parse(view?.resultsText() ?? '')).toMatchObject({
      frameId: `gate-${EPOCH + 1}-0`,
      ageMs: 120,
    });
  });

  it('leaves out the age of a frame that had been a dead letter, and counts it', () => {
    const { state } = newState();
    enter(state, { ...detection([]), sequence: 7, redrives: 1 }, 3_600_000);
    enter(state, { ...classification([]), sequence: 7, redrives: 1 }, 3_600_000);
    expect(state.ages.percentiles(NOW_MS)).toBeNull();
    expect([state.frames.total(NOW_MS), state.redriven]).toEqual([1, 1]);
    enter(state, { ...detection([]), sequence: 8 });
    expect(state.ages.percentiles(NOW_MS)?.p95).toBeLessThan(200);
    expect([state.frames.total(NOW_MS), state.redriven]).toEqual([2, 1]);
  });

  it('lets each head answer for itself', () => {
    const { state } = newState();
    enter(state, { ...classification([['street', 0.5]]), sequence: 3 });
    enter(state, { ...detection([['car', 0.5]]), sequence: 4 });
    const text = JSON.parse(state.camera('gate')?.resultsText() ?? '');
    expect(text.frameId).toMatch(/-4$/);
    expect(text.classification).toMatchObject({ frameId: expect.stringMatching(/-3$/) });
    expect(text.detection.boxes).toEqual([['car', 0.5, 0, 0, 1, 1]]);
  });

  it('does not go back to what was said before, in whichever order it is read', () => {
    const { state } = newState();
    state.status(status('gate', { timeUs: NOW_MS * 1000 }), NOW_MS);
    state.status(status('gate', { timeUs: (NOW_MS - 5_000) * 1000, state: 'offline' }), NOW_MS);
    // Of the epoch before; its agent closes its books late.
    state.status(status('gate', { epoch: EPOCH - 1, state: 'ended', final: true }), NOW_MS);
    expect(state.camera('gate')?.state).toBe('online');
  });

  it('tells news at once, and figures now and then, or where somebody watches', () => {
    const { state } = newState();
    state.status(status('gate'), NOW_MS);
    state.tellRows(() => false, NOW_MS);
    const later = (ms: number) => ({ timeUs: (NOW_MS + ms) * 1000, captured: 5 + ms });
    const versionAfter = (ms: number, changes: Partial<CameraStatus>, isWatched = false) => {
      state.status(status('gate', { ...later(ms), ...changes }), NOW_MS + ms);
      state.tellRows(() => isWatched, NOW_MS + ms);
      return state.rows.version;
    };
    expect(versionAfter(1_000, {})).toBe(1);
    expect(versionAfter(2_000, {}, true)).toBe(2);
    expect(versionAfter(3_000, { state: 'offline', detail: 'no route' })).toBe(3);
    expect(rowOf(state, 'gate')).toMatchObject({ state: 'offline', detail: 'no route' });
    expect(versionAfter(4_000, { state: 'offline', detail: 'no route' })).toBe(3);
    const quietMs = 4_000 + LIMITS.wallQuietRowMs;
    expect(versionAfter(quietMs, { state: 'offline', detail: 'no route' })).toBe(4);
  });

  it('keeps no more cameras than it may: one that has ended makes room, others are counted', () => {
    const { state, forgotten } = newState();
    const max = LIMITS.wallCamerasMax;
    for (let index = 0; index < max; index++) state.status(status(`c${index}`), NOW_MS);
    expect(state.status(status('late-1'), NOW_MS)).toBe(false);
    expect(enter(state, { ...detection([]), cameraId: 'late-2' })).toBe(false);
    expect([state.shown, state.untold]).toEqual([max, 2]);
    const ended = { state: 'ended', final: true, timeUs: NOW_MS * 1000 + 1 } as const;
    state.status(status('c5', ended), NOW_MS);
    expect(state.status(status('late-1'), NOW_MS)).toBe(true);
    expect([state.shown, state.untold]).toEqual([max, 1]);
    expect(forgotten).toEqual(['c5']);
    state.tellRows(() => false, NOW_MS);
    const told = new Set<string>();
    let version = 0;
    for (let changes = state.rows.after(0); changes.version > version; ) {
      version = changes.version;
      for (const cameraId of changes.gone) told.add(cameraId);
      changes = state.rows.after(version);
    }
    expect([...told]).toEqual(['c5']);
  });

  it('counts dead letters by reason, of a bounded number of reasons', () => {
    const { state } = newState();
    for (let index = 0; index < 200; index++) state.deadLetter(`reason-${index}`, NOW_MS);
    expect(state.deadLetterCount).toBe(200);
    expect(state.deadLettersByReason.size).toBe(101);
    expect(state.deadLettersByReason.get('other')).toBe(100);
  });
});
