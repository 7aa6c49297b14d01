import { describe, expect, it } from 'vitest';
import { FrameMemory } from '#consumers/inference/dedupe.ts';
import type { Delivery, Outcome } from '#consumers/inference/delivery.ts';
import type { Lane } from '#consumers/inference/lane.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { defined } from '#runtime/assert.ts';
import { newLane, record } from './fakes.ts';

const FRAME = { cameraId: 'cam-1', epoch: 1, sequence: 3 };

function openLane(): Lane {
  const lane = newLane();
  lane.open(undefined, undefined);
  return lane;
}

function settle(delivery: Delivery, kind: Outcome['kind']): void {
  delivery.settle({ kind, records: [], counters: [] });
}

describe('a frame that was redriven from the dead letters', () => {
  /** Frame 9 of the camera is committed; then come redriven records of frame 3. */
  function lateLane() {
    const lane = openLane();
    let offset = 0;
    const take = (redriven?: string) => {
      const headers = redriven === undefined ? {} : { 'redriven-from': Buffer.from(redriven) };
      lane.push([record(offset++, { headers })]);
      const delivery = defined(lane.next(), 'a delivery');
      delivery.identity = redriven === undefined ? { ...FRAME, sequence: 9 } : FRAME;
      return delivery;
    };
    const first = take();
    expect(lane.admit({ ...FRAME, sequence: 9 })).toBe(true);
    settle(first, 'results');
    lane.commit(1);
    return { lane, take };
  }

  it('is admitted although later frames have been processed, and once', () => {
    const { lane, take } = lateLane();
    const redriven = take('0:7 1');
    expect(lane.admit(FRAME)).toBe(false);
    expect(lane.admit(FRAME, redriven.redrives)).toBe(true);
    // The second copy of a frame that the agent wrote twice, redriven from a letter of its own.
    const copy = take('0:8 1');
    expect(lane.admit(FRAME, copy.redrives)).toBe(false);
    settle(redriven, 'results');
    settle(copy, 'duplicate');
    lane.commit(2);
    expect(lane.admit(FRAME, take('0:8 1').redrives)).toBe(false);
  });

  it('is admitted again when it became a dead letter again', () => {
    const { lane, take } = lateLane();
    const redriven = take('0:7 1');
    expect(lane.admit(FRAME, redriven.redrives)).toBe(true);
    settle(redriven, 'dead-letter');
    lane.commit(1);
    expect(lane.memory.has(FRAME, 1)).toBe(false);
    expect(lane.admit(FRAME, take('0:9 2').redrives)).toBe(true);
  });

  it.each([
    ['a dead letter', '1 cam-1 9', true],
    ['results', 'r 1 cam-1 3;1 cam-1 9', false],
  ])('is what the committed note says when another owner made it %s', (_, note, isAdmitted) => {
    const { lane, take } = lateLane();
    const redriven = take('0:7 1');
    expect(lane.admit(FRAME, redriven.redrives)).toBe(true);
    // We had not settled it when the position moved past it.
    lane.open(redriven.record.offset + 1, FrameMemory.fromNote(note));
    expect(redriven.isDropped).toBe(true);
    expect(lane.admit(FRAME, take('0:9 2').redrives)).toBe(isAdmitted);
  });

  it('with a header that means nothing is a frame like any other', () => {
    const { take } = lateLane();
    for (const header of ['', '0:7', '0:7 0', '-1:7 1', '0:7 1 ', '0:7 x', 'x'.repeat(1000)]) {
      expect(take(header).redrives, header).toBe(0);
    }
    expect(take('12:345 6').redrives).toBe(6);
  });
});

describe('the age of a frame at its commit', () => {
  it('is never less than nothing, whatever the clock of its camera says', () => {
    const telemetry = new Telemetry();
    const lane = newLane({ telemetry, nowUs: () => 5_000_000 });
    lane.open(undefined, undefined);
    lane.push([record(0), record(1)]);
    for (const captureTimeUs of [4_500_000, 9_000_000]) {
      const frame = { captureTimeUs, traceparent: undefined };
      const outcome: Outcome = { kind: 'results', records: [], counters: [], frame };
      defined(lane.next(), 'a delivery').settle(outcome);
    }
    lane.commit(2);
    const ages = telemetry.families().find(({ name }) => name.endsWith('_frame_age_seconds'));
    expect(ages).toMatchObject({ distributions: [{ count: 2, sum: 0.5 }] });
  });

  it('is none of a live frame where the frame was redriven, which is counted apart', () => {
    const telemetry = new Telemetry();
    const lane = newLane({ telemetry, nowUs: () => 90_000_000 });
    lane.open(undefined, undefined);
    lane.push([
      record(0),
      record(1, { headers: { 'redriven-from': Buffer.from('0:7 1') } }),
      record(2, { headers: { 'redriven-from': Buffer.from('0:8 1') } }),
    ]);
    const frame = { captureTimeUs: 89_000_000, traceparent: undefined };
    const settled = { kind: 'results', records: [], counters: [] } as const;
    defined(lane.next(), 'a live frame').settle({ ...settled, frame });
    const old = { ...frame, captureTimeUs: 1_000_000 };
    defined(lane.next(), 'a redriven frame').settle({ ...settled, frame: old });
    // A dead letter again: it has no results.
    defined(lane.next(), 'another one').settle({ ...settled, kind: 'dead-letter' });
    lane.commit(3);
    const families = telemetry.families();
    const ages = families.find(({ name }) => name.endsWith('_frame_age_seconds'));
    expect(ages).toMatchObject({ distributions: [{ count: 1, sum: 1 }] });
    const redriven = families.find(({ name }) => name.endsWith('_frames_redriven_total'));
    expect(redriven).toMatchObject({ samples: [{ labels: {}, value: 1 }] });
  });
});

describe('how far a lane is', () => {
  it('is where the first of its deliveries is, and how old that is', () => {
    const lane = openLane();
    lane.push([4, 5].map((offset) => record(offset, { timestampMs: 1_000 * offset })));
    lane.reached(6);
    expect([lane.uncommittedOffset, lane.oldestTimestampMs]).toEqual([4, 4_000]);
    settle(defined(lane.next(), 'a delivery'), 'results');
    lane.commit(1);
    expect([lane.uncommittedOffset, lane.oldestTimestampMs]).toEqual([5, 5_000]);
  });

  it('is behind the markers of transactions, where only those are left', () => {
    const lane = newLane();
    expect([lane.uncommittedOffset, lane.oldestTimestampMs]).toEqual([undefined, undefined]);
    lane.open(4, undefined);
    expect(lane.uncommittedOffset).toBe(4);
    lane.reached(5);
    expect([lane.uncommittedOffset, lane.oldestTimestampMs]).toEqual([5, undefined]);
  });

  it('is at what was let go, of a partition that is drained', () => {
    const lane = newLane();
    lane.open(4, undefined);
    lane.push([4, 5].map((offset) => record(offset)));
    lane.reached(6);
    lane.drain();
    expect([lane.uncommittedOffset, lane.oldestTimestampMs]).toEqual([4, undefined]);
  });
});
