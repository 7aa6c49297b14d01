import { describe, expect, it } from 'vitest';
import { Fetch } from '#consumers/inference/fetch.ts';
import type { Lane } from '#consumers/inference/lane.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { FRAME_TOPIC, outcome, record, records, settled } from './fakes.ts';

function setUp() {
  const events: string[] = [];
  const served: Lane[] = [];
  const telemetry = new Telemetry();
  const fetch = new Fetch(
    {
      pause: (_, partition) => void events.push(`pause ${partition}`),
      resume: (_, partition) => void events.push(`resume ${partition}`),
    },
    {
      topic: FRAME_TOPIC,
      clock: new ManualClock(),
      logger: silentLogger,
      telemetry,
      serve: (lane) => void served.push(lane),
      onFailed: (error) => void events.push(`failed ${error.message}`),
    },
  );
  const assign = (...partitions: number[]) => {
    fetch.onAssigned(new Map([[FRAME_TOPIC, partitions]]));
    return served.slice(-partitions.length);
  };
  return { fetch, events, served, assign, telemetry };
}

/** Decodes and commits the next `count` records of a lane. */
function commit(lane: Lane, count: number): void {
  for (let index = 0; index < count; index++) lane.next()?.settle(outcome('done'));
  lane.commit(count);
}

describe('lanes and generations', () => {
  it('records wait for the position; what lies below it was committed already', async () => {
    const { fetch, assign, telemetry } = setUp();
    const [lane] = assign(0);
    fetch.onRecords(records(10, 4));
    expect(lane?.next()).toBeUndefined();
    lane?.open(12, undefined);
    expect((await fetch.next())?.delivery.record.offset).toBe(12);
    expect((await fetch.next())?.delivery.record.offset).toBe(13);
    expect(telemetry.snapshot()).toMatchObject({
      'frames-fetched': 4,
      'frames-already-committed': 2,
    });
  });

  it('a new generation drops every lane, also of partitions that stay', () => {
    const { fetch, served, assign } = setUp();
    const [old] = assign(0);
    old?.open(undefined, undefined);
    fetch.onRecords(records(0, 3));
    const delivery = old?.next();
    const [fresh] = assign(0);
    expect(served).toHaveLength(2);
    expect(old?.isDropped).toBe(true);
    expect(old?.deliveries).toHaveLength(0);
    expect(delivery?.isDropped).toBe(true);
    // Its results come too late and change nothing.
    delivery?.settle(outcome('late'));
    expect(fresh?.deliveries).toHaveLength(0);
    expect(fetch.bytes).toBe(0);
  });

  it('revocation drops the lanes, and records that still come are ignored', () => {
    const { fetch, assign } = setUp();
    const [lane] = assign(0);
    lane?.open(undefined, undefined);
    fetch.onRevoked();
    fetch.onRecords(records(0, 3));
    expect(lane?.isDropped).toBe(true);
    expect(fetch.lanes).toHaveLength(0);
    expect(fetch.bytes).toBe(0);
  });

  it('a record that is fetched twice is taken once', async () => {
    const { fetch, assign } = setUp();
    const [lane] = assign(0);
    lane?.open(undefined, undefined);
    fetch.onRecords(records(0, 3));
    fetch.onRecords(records(1, 3));
    expect(lane?.deliveries.map(({ record: { offset } }) => offset)).toEqual([0, 1, 2, 3]);
  });

  it('partitions take turns, whatever their backlog', async () => {
    const { fetch, assign } = setUp();
    for (const lane of assign(0, 1, 2)) lane.open(undefined, undefined);
    fetch.onRecords(records(0, 50, 0));
    fetch.onRecords(records(0, 2, 1));
    fetch.onRecords(records(0, 2, 2));
    const order: string[] = [];
    const turn = LIMITS.laneTurnRecords;
    const take = async (count: number) => {
      for (let index = 0; index < count; index++) {
        const { delivery } = (await fetch.next()) ?? {};
        order.push(`${delivery?.record.partition}:${delivery?.record.offset}`);
      }
    };
    await take(turn + 2 + 2 + 1);
    const ofFirst = Array.from({ length: turn }, (_, offset) => `0:${offset}`);
    expect(order).toEqual([...ofFirst, '1:0', '1:1', '2:0', '2:1', `0:${turn}`]);
    // One that comes meanwhile waits for a turn, not for a backlog.
    fetch.onRecords(records(2, 1, 1));
    order.length = 0;
    await take(turn);
    expect(order.at(-1)).toBe('1:2');
  });

  it('remembers processed frames of a partition that it gets back', () => {
    const { fetch, assign } = setUp();
    const identity = { cameraId: 'cam-1', epoch: 1, sequence: 7 };
    const [first] = assign(0);
    first?.open(undefined, undefined);
    fetch.onRecords([record(0)]);
    const delivery = first?.next();
    if (delivery !== undefined) delivery.identity = identity;
    expect(first?.admit(identity)).toBe(true);
    delivery?.settle(outcome('done'));
    first?.commit(1);
    const [second] = assign(0);
    second?.open(1, undefined);
    expect(second?.admit(identity)).toBe(false);
    expect(second?.admit({ ...identity, sequence: 8 })).toBe(true);
  });

  it('does not remember frames that were decoded and never committed', () => {
    const { assign } = setUp();
    const identity = { cameraId: 'cam-1', epoch: 1, sequence: 7 };
    const [first] = assign(0);
    first?.open(undefined, undefined);
    expect(first?.admit(identity)).toBe(true);
    const [second] = assign(0);
    second?.open(undefined, undefined);
    expect(second?.admit(identity)).toBe(true);
  });
});

describe('back-pressure', () => {
  const max = LIMITS.recordsInFlightPerPartitionMax;

  it('pauses a partition at its limit and resumes it when half of it is committed', () => {
    const { fetch, events, assign } = setUp();
    const [lane, other] = assign(0, 1);
    lane?.open(undefined, undefined);
    other?.open(undefined, undefined);
    fetch.onRecords(records(0, max - 1));
    expect(events).toEqual([]);
    fetch.onRecords(records(max - 1, 1));
    expect(events).toEqual(['pause 0']);
    if (lane !== undefined) commit(lane, max / 2 - 1);
    expect(events).toEqual(['pause 0']);
    if (lane !== undefined) commit(lane, 1);
    expect(events).toEqual(['pause 0', 'resume 0']);
  });

  it('pauses all partitions at the byte limit of the process', () => {
    const { fetch, events, assign } = setUp();
    const lanes = assign(0, 1);
    for (const lane of lanes) lane.open(undefined, undefined);
    const value = new Uint8Array(1024 * 1024);
    const count = (LIMITS.consumerBytesInFlightMax - LIMITS.fetchBytesMax) / value.length;
    for (let offset = 0; offset < count; offset++) {
      expect(events).toEqual([]);
      fetch.onRecords([record(offset, { value })]);
    }
    expect(events).toEqual(['pause 0', 'pause 1']);
    // What is on its way now still fits below the limit.
    expect(fetch.bytes + LIMITS.fetchBytesMax).toBeLessThanOrEqual(LIMITS.consumerBytesInFlightMax);
    if (lanes[0] !== undefined) commit(lanes[0], count / 2);
    expect(events).toEqual(['pause 0', 'pause 1', 'resume 0', 'resume 1']);
  });

  it('a rebalance ends every pause', () => {
    const { fetch, events, assign } = setUp();
    assign(0);
    fetch.onRecords(records(0, max));
    expect(events).toEqual(['pause 0']);
    assign(0);
    expect(events).toEqual(['pause 0', 'resume 0']);
  });
});

it('a drain lets go of what nobody works on, and takes no more', async () => {
  const { fetch, events, assign } = setUp();
  const [lane] = assign(0);
  lane?.open(undefined, undefined);
  fetch.onRecords(records(0, 5));
  const first = await fetch.next();
  let ended = false;
  fetch.drain();
  void fetch.next().then((next) => {
    ended = next === undefined;
  });
  fetch.onRecords(records(5, 5));
  await settled();
  expect(ended).toBe(true);
  expect(events).toEqual(['pause 0']);
  expect(lane?.deliveries).toEqual([first?.delivery]);
  expect(first?.delivery.isDropped).toBe(false);
});

it('hands on that the consumer cannot recover', () => {
  const { fetch, events } = setUp();
  fetch.onFailed(new Error('gone'));
  expect(events).toEqual(['failed gone']);
});
