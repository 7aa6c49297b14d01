import { describe, expect, it } from 'vitest';
import { FrameMemory } from '#consumers/inference/dedupe.ts';
import { sendsPerSecond } from '#infra/plan/agents.ts';
import { STORED_OVERHEAD_BYTES } from '#infra/plan/outage.ts';
import { placesHit, segmentBytes, transactionBytes } from '#infra/plan/traffic.ts';
import { backlogTransactions, liveTransactions } from '#infra/plan/transactions.ts';
import { STORED_OVERHEAD_BYTES as OF_THE_SPOOL } from '#producers/camera/spool-store.ts';
import { CONSTANTS } from './sample.ts';

it('counts for a stored record what the spool counts', () => {
  expect(STORED_OVERHEAD_BYTES).toBe(OF_THE_SPOOL);
});

it('the note of a position takes about as much as is planned for it, and has a limit', () => {
  const memory = new FrameMemory();
  for (let camera = 0; camera < 20; camera++) {
    memory.add({ cameraId: `camera-${camera}`, epoch: 1_700_000_000_000, sequence: 100_000 });
  }
  const planned = transactionBytes(CONSTANTS, 20) - CONSTANTS.bytes.transaction;
  const { length } = memory.toNote(4_000);
  expect(Math.abs(planned / length - 1)).toBeLessThan(0.2);
  expect(transactionBytes(CONSTANTS, 10_000)).toBe(CONSTANTS.bytes.transaction + 4_000);
});

describe('placesHit', () => {
  it.each([
    [1, 5, 1],
    [8, 1, 1],
    [8, 8, 5.25],
    [8, 1000, 8],
  ])('%i places, %i throws: %d', (places, throws, hit) => {
    expect(placesHit(places, throws)).toBeCloseTo(hit, 2);
  });
});

describe('sendsPerSecond', () => {
  it('a lone frame has a request of its own; a flood has one each interval', () => {
    expect(sendsPerSecond(1)).toBe(1);
    expect(sendsPerSecond(100_000)).toBe(20);
  });
});

describe('segmentBytes', () => {
  it('a gibibyte a partition, or a week of it', () => {
    expect(segmentBytes(1e9, 10)).toBe(10 * 1024 ** 3);
    expect(segmentBytes(10, 10)).toBe(10 * 7 * 86_400);
  });
});

/** 250 ms from one transaction to the next, its own time included. */
const LANE = { latencyMs: 50, commitMs: 50 };
/** Few, so that none is ever empty, and many. */
const FEW_LANES = { laneCount: 4, batchFramesMax: 2, commitMs: 50 };
const MANY_LANES = { laneCount: 64, batchFramesMax: 2, commitMs: 50 };

describe('transactions of a partition', () => {
  it.each([0.1, 1, 5, 20, 100, 1_000, 10_000])('at %d frames/s', (framesPerSecond) => {
    const live = liveTransactions({ framesPerSecond, ...LANE });
    const backlog = backlogTransactions({ ...FEW_LANES, framesPerSecond });
    expect(live).toBeLessThanOrEqual(framesPerSecond);
    expect(backlog).toBeLessThanOrEqual(live);
    expect(backlog).toBeGreaterThanOrEqual(framesPerSecond / 100);
  });

  it('a rare frame is committed at once, and many share a transaction each interval', () => {
    expect(liveTransactions({ framesPerSecond: 1, ...LANE })).toBe(1);
    expect(liveTransactions({ framesPerSecond: 400, ...LANE })).toBeCloseTo(4, 1);
    expect(backlogTransactions({ ...FEW_LANES, framesPerSecond: 400 })).toBe(4);
    expect(backlogTransactions({ ...FEW_LANES, framesPerSecond: 2_000 })).toBe(20);
  });

  it('a turn of a lane shares one while a backlog is worked off, or what is done in time', () => {
    expect(backlogTransactions({ ...FEW_LANES, framesPerSecond: 8 })).toBe(8 / 4);
    expect(backlogTransactions({ ...FEW_LANES, framesPerSecond: 1.25 })).toBe(1.25 / 2);
    expect(backlogTransactions({ ...MANY_LANES, framesPerSecond: 8 })).toBe(8 / 4);
  });

  it('of many lanes one has no turn meanwhile: only the transaction itself lasts', () => {
    expect(backlogTransactions({ ...MANY_LANES, framesPerSecond: 400 })).toBe(400 / 20);
  });
});
