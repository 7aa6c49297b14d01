import { describe, expect, it } from 'vitest';
import { RecentFrames } from '#consumers/dashboard/recent-frames.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Result } from '#schemas/result.ts';
import { classification, detection, segmentation } from '../subscriber/results.ts';
import { received } from './received.ts';

/** A result of a frame, which is captured a second after the one before. */
function of(cameraId: string, sequence: number, result: Result = detection([])): Result {
  return { ...result, cameraId, sequence, captureTimeUs: sequence * 1e6 };
}

function enter(recent: RecentFrames, result: Result, ageMs = 120, traced = false): void {
  recent.enter(result, received(result, ageMs, traced));
}

function sequences(recent: RecentFrames, cameraId: string): (number | undefined)[] {
  return recent.ofCamera(cameraId).map(({ frameId }) => Number(frameId.split('-').at(-1)));
}

describe('RecentFrames', () => {
  it('joins the results of all heads to the frame', () => {
    const recent = new RecentFrames();
    enter(recent, of('gate', 7, detection([['car', 0.9]])), 120, true);
    enter(recent, of('gate', 7, classification([['street', 0.5]])), 130, true);
    enter(recent, of('gate', 7, segmentation([['road', 0.3]])), 140, true);
    const frameId = 'gate-1700000000000-7';
    const task = { frameId, status: 'ok' };
    expect(recent.find(frameId)).toEqual({
      ...{ cameraId: 'gate', frameId, captureTimeUs: 7e6, ageMs: 120, traced: true },
      ...{ sourceWidth: 640, sourceHeight: 480 },
      detection: { ...task, boxes: [['car', 0.9, 0, 0, 1, 1]] },
      classification: { ...task, labels: [['street', 0.5]] },
      segmentation: { ...task, masks: [['road', 0.3, { height: 1, width: 1, counts: '1' }]] },
    });
  });

  it('keeps the newest of each camera, the newest first', () => {
    const recent = new RecentFrames();
    const count = LIMITS.recentFramesMax + 5;
    for (let sequence = 0; sequence < count; sequence++) enter(recent, of('gate', sequence));
    enter(recent, of('yard', 0));
    // Of another head, too late.
    enter(recent, of('gate', 2, classification([])));
    const kept = sequences(recent, 'gate');
    expect(kept).toHaveLength(LIMITS.recentFramesMax);
    expect(kept[0]).toBe(count - 1);
    expect(kept.at(-1)).toBe(5);
    expect(recent.ofCamera('gate', 2).map(({ captureTimeUs }) => captureTimeUs / 1e6)).toEqual([
      count - 1,
      count - 2,
    ]);
    expect(sequences(recent, 'yard')).toEqual([0]);
    expect(recent.evicted).toBe(0);
  });

  it('is bounded over all cameras: what came first goes first', () => {
    const recent = new RecentFrames();
    const mask = { height: 1, width: 1, counts: '0'.repeat(0.9 * LIMITS.resultRecordBytesMax) };
    const masks = [{ classId: 0, label: 'road', areaFraction: 1, mask }];
    const heavy = { ...segmentation([]), masks };
    const count = 2 * Math.ceil(LIMITS.recentBytesMax / LIMITS.resultRecordBytesMax);
    for (let sequence = 0; sequence < count; sequence++) {
      enter(recent, of(`camera-${sequence}`, sequence, heavy));
      expect(recent.bytes).toBeLessThanOrEqual(LIMITS.recentBytesMax);
    }
    expect(recent.evicted).toBeGreaterThan(count / 3);
    expect(sequences(recent, 'camera-0')).toEqual([]);
    expect(sequences(recent, `camera-${count - 1}`)).toEqual([count - 1]);
  });

  it('reads what is there, and the later one of two results of a head', () => {
    const recent = new RecentFrames();
    enter(recent, of('gate', 7, detection([['car', 0.9]])));
    const { bytes } = recent;
    enter(recent, of('gate', 7, detection([['dog', 0.8]])));
    expect(recent.bytes).toBe(bytes);
    const { detection: found } = recent.find('gate-1700000000000-7') ?? {};
    expect(found?.boxes).toEqual([['dog', 0.8, 0, 0, 1, 1]]);
  });

  it('is bounded in frames, however small they are', () => {
    const recent = new RecentFrames();
    const one = received(detection([]), 120);
    const count = LIMITS.recentFramesOfAllMax + 3;
    for (let camera = 0; camera < count; camera++) {
      recent.enter(of(`camera-${camera}`, camera), one);
    }
    expect(recent.evicted).toBeGreaterThanOrEqual(3);
    expect(recent.evicted).toBeLessThan(count / 8);
    expect(recent.ofCamera('camera-2')).toEqual([]);
    expect(recent.ofCamera(`camera-${count - 1}`)).toHaveLength(1);
  });

  it('forgets a camera, and what it took', () => {
    const recent = new RecentFrames();
    enter(recent, of('yard', 1));
    const { bytes } = recent;
    for (const sequence of [1, 2, 3]) enter(recent, of('gate', sequence));
    recent.forget('gate');
    recent.forget('ghost');
    expect(recent.bytes).toBe(bytes);
    expect(recent.find('gate-1700000000000-2')).toBeUndefined();
    expect(sequences(recent, 'gate')).toEqual([]);
  });
});
