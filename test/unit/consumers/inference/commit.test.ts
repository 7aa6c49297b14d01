import { describe, expect, it } from 'vitest';
import { Committer, SettledPrefix } from '#consumers/inference/commit.ts';
import { FrameMemory } from '#consumers/inference/dedupe.ts';
import { Delivery } from '#consumers/inference/delivery.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { FakeTransactor, newLane, outcome, record, records, settled } from './fakes.ts';

function deliveries(count: number): Delivery[] {
  return records(0, count).map((item) => new Delivery(item, 0, () => undefined));
}

function settledPrefix(list: readonly Delivery[]): SettledPrefix {
  const prefix = new SettledPrefix();
  prefix.extend(list);
  return prefix;
}

describe('the prefix that one transaction commits', () => {
  it('ends before the first delivery that is not settled', () => {
    const list = deliveries(4);
    for (const index of [0, 1, 3]) list[index]?.settle(outcome(`r${index}`));
    expect(settledPrefix(list)).toMatchObject({ count: 2, nextOffset: 2 });
    expect(settledPrefix(list).records.map(({ key }) => key)).toEqual(['r0', 'r1']);
  });

  it('is empty when the first is not settled', () => {
    const list = deliveries(2);
    list[1]?.settle(outcome('r1'));
    expect(settledPrefix(list).count).toBe(0);
    expect(settledPrefix([]).count).toBe(0);
  });

  it('grows as deliveries settle, in whatever order, and is the same as if looked at once', () => {
    const list = deliveries(4);
    const prefix = new SettledPrefix();
    for (const index of [1, 0, 3, 2]) {
      list[index]?.settle(outcome(`r${index}`));
      prefix.extend(list);
    }
    expect(prefix).toEqual(settledPrefix(list));
    expect(prefix).toMatchObject({ count: 4, nextOffset: 4, isFull: false });
    expect(prefix.records.map(({ key }) => key)).toEqual(['r0', 'r1', 'r2', 'r3']);
  });

  it('moves past offsets that hold no record', () => {
    const list = [new Delivery(record(7), 0, () => undefined)];
    list.push(new Delivery(record(12), 0, () => undefined));
    for (const delivery of list) delivery.settle(outcome('x'));
    expect(settledPrefix(list)).toMatchObject({ count: 2, nextOffset: 13 });
  });

  it('is bounded in records', () => {
    const list = deliveries(LIMITS.transactionRecordsMax + 1);
    for (const delivery of list) delivery.settle(outcome('x'));
    expect(settledPrefix(list).count).toBe(LIMITS.transactionRecordsMax);
  });

  it('is bounded in bytes of each topic, not of all together', () => {
    const third = Math.ceil(LIMITS.transactionBytesPerTopicMax / 3);
    const list = deliveries(4);
    for (const delivery of list) delivery.settle(outcome('x', third - 1, ['a', 'b', 'c']));
    expect(settledPrefix(list)).toMatchObject({ count: 3, isFull: true });
  });

  it('holds at least one delivery, however large', () => {
    const [one] = deliveries(1);
    one?.settle(outcome('x', LIMITS.transactionBytesPerTopicMax + 1));
    expect(settledPrefix(one ? [one] : []).count).toBe(1);
  });
});

async function setUp(position: number | undefined = undefined) {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const transactor = new FakeTransactor();
  const failures: unknown[] = [];
  const committer = new Committer({
    openTransactor: async () => transactor,
    intervalMs: LIMITS.transactionIntervalMs,
    clock,
    logger: silentLogger,
    telemetry,
    onFailed: (error) => void failures.push(error),
  });
  const lane = newLane({ telemetry, nowUs: () => clock.nowUs() });
  committer.serve(lane);
  await settled();
  transactor.acquires[0]?.resolve(position);
  await settled();
  const push = (from: number, count: number) => {
    lane.push(records(from, count));
    const taken: Delivery[] = [];
    for (let delivery = lane.next(); delivery; delivery = lane.next()) taken.push(delivery);
    return taken;
  };
  const settle = async (...taken: (Delivery | undefined)[]) => {
    for (const delivery of taken) delivery?.settle(outcome(`r${delivery.record.offset}`));
    await settled();
  };
  return { clock, telemetry, transactor, failures, committer, lane, push, settle };
}

describe('when a lane commits', () => {
  it('at once when nothing more is under way', async () => {
    const { transactor, push, settle, lane } = await setUp();
    const [one] = push(0, 1);
    await settle(one);
    expect(transactor.commits).toMatchObject([{ keys: ['r0'], nextOffset: 1 }]);
    transactor.commits[0]?.resolve();
    await settled();
    expect(lane.deliveries).toHaveLength(0);
  });

  it('at once when more of it waits, of which nothing is under way', async () => {
    const { transactor, lane, push, settle } = await setUp();
    const [one] = push(0, 1);
    lane.push(records(1, 3));
    await settle(one);
    expect(transactor.commits).toMatchObject([{ keys: ['r0'], nextOffset: 1 }]);
  });

  it('with a backlog, together with what is under way, if that is done in time', async () => {
    const { clock, transactor, lane, push, settle } = await setUp();
    await clock.advance(10 * LIMITS.transactionIntervalMs);
    const [one, two, three] = push(0, 3);
    lane.push(records(3, 1));
    await settle(one);
    await clock.advance(LIMITS.transactionIntervalMs - 1);
    await settle(two);
    expect(transactor.commits).toHaveLength(0);
    await settle(three);
    expect(transactor.commits).toMatchObject([{ keys: ['r0', 'r1', 'r2'], nextOffset: 3 }]);
  });

  it('with a backlog, without waiting longer than the interval', async () => {
    const { clock, transactor, lane, push, settle } = await setUp();
    const [one, two] = push(0, 3);
    lane.push(records(3, 1));
    await settle(one, two);
    await clock.advance(LIMITS.transactionIntervalMs - 1);
    expect(transactor.commits).toHaveLength(0);
    await clock.advance(1);
    expect(transactor.commits).toMatchObject([{ keys: ['r0', 'r1'], nextOffset: 2 }]);
  });

  it('without a backlog at once, unless the last commit was just now', async () => {
    const { clock, transactor, push, settle } = await setUp();
    const [one, two] = push(0, 3);
    await settle(one);
    expect(transactor.commits).toMatchObject([{ keys: ['r0'], nextOffset: 1 }]);
    transactor.commits[0]?.resolve();
    await settle(two);
    expect(transactor.commits).toHaveLength(1);
    await clock.advance(LIMITS.transactionIntervalMs);
    expect(transactor.commits[1]).toMatchObject({ keys: ['r1'], nextOffset: 2 });
  });

  it('at once when a transaction is full', async () => {
    const { transactor, push, settle } = await setUp();
    const taken = push(0, LIMITS.transactionRecordsMax + 2);
    await settle(...taken.slice(0, LIMITS.transactionRecordsMax + 1));
    expect(transactor.commits).toHaveLength(1);
    expect(transactor.commits[0]?.nextOffset).toBe(LIMITS.transactionRecordsMax);
  });

  it('one transaction after another, never two at a time', async () => {
    const { transactor, push, settle, telemetry } = await setUp();
    await settle(...push(0, 1));
    await settle(...push(1, 2));
    expect(transactor.commits).toHaveLength(1);
    transactor.commits[0]?.resolve();
    await settled();
    expect(transactor.commits[1]).toMatchObject({ keys: ['r1', 'r2'], nextOffset: 3 });
    transactor.commits[1]?.resolve();
    await settled();
    expect(telemetry.snapshot()).toMatchObject({ transactions: 2 });
  });
});

describe('when a commit fails', () => {
  const lost = new HalfsightError('broker-unavailable', 'away');

  it('and did not take place, the same results are written again', async () => {
    const { clock, transactor, push, settle, lane } = await setUp();
    await settle(...push(0, 2));
    transactor.commits[0]?.reject(lost);
    await clock.advance(LIMITS.transactionRetryDelayMsMin);
    transactor.acquires[1]?.resolve(undefined);
    await settled();
    expect(transactor.commits[1]).toMatchObject({ keys: ['r0', 'r1'], nextOffset: 2 });
    expect(lane.deliveries).toHaveLength(2);
  });

  it('and did take place after all, they are not', async () => {
    const { clock, transactor, push, settle, lane } = await setUp();
    await settle(...push(0, 2));
    const [three] = push(2, 1);
    transactor.commits[0]?.reject(lost);
    await clock.advance(LIMITS.transactionRetryDelayMsMin);
    transactor.acquires[1]?.resolve(2);
    await settled();
    expect(transactor.commits).toHaveLength(1);
    expect(lane.deliveries).toEqual([three]);
    await settle(three);
    expect(transactor.commits[1]).toMatchObject({ keys: ['r2'], nextOffset: 3 });
  });

  it('the broker is asked again and again, less and less often', async () => {
    const { clock, transactor, push, settle, failures } = await setUp();
    await settle(...push(0, 1));
    transactor.commits[0]?.reject(lost);
    for (let attempt = 1; attempt <= 12; attempt++) {
      await clock.advance(LIMITS.acquireRetryDelayMsMax);
      expect(transactor.acquires).toHaveLength(attempt + 1);
      transactor.acquires[attempt]?.reject(lost);
    }
    expect(failures).toEqual([]);
  });

  it('because the broker refuses, the process has to end', async () => {
    const { clock, transactor, push, settle, failures } = await setUp();
    await settle(...push(0, 1));
    const refused = new HalfsightError('broker-refused', 'not authorized');
    transactor.commits[0]?.reject(refused);
    await clock.advance(0);
    expect(failures).toEqual([refused]);
    expect(transactor.isClosed).toBe(true);
  });
});

describe('fenced', () => {
  const fenced = new HalfsightError('broker-fenced', 'someone else acquired');

  it('while the lane is current: acquires once more and writes the same results', async () => {
    const { clock, transactor, push, settle, failures } = await setUp();
    await settle(...push(0, 1));
    transactor.commits[0]?.reject(fenced);
    await clock.advance(LIMITS.fencedGraceMs - 1);
    expect(transactor.acquires).toHaveLength(1);
    await clock.advance(LIMITS.transactionRetryDelayMsMin + 1);
    transactor.acquires[1]?.resolve(undefined);
    await settled();
    expect(transactor.commits[1]).toMatchObject({ keys: ['r0'], nextOffset: 1 });
    expect(failures).toEqual([]);
  });

  it('again while the lane is current: we are the zombie, and the process has to end', async () => {
    const { clock, transactor, push, settle, failures } = await setUp();
    await settle(...push(0, 1));
    transactor.commits[0]?.reject(fenced);
    await clock.advance(LIMITS.fencedGraceMs + LIMITS.transactionRetryDelayMsMin);
    transactor.acquires[1]?.resolve(undefined);
    await settled();
    transactor.commits[1]?.reject(fenced);
    await clock.advance(LIMITS.fencedGraceMs);
    expect(failures).toEqual([fenced]);
    expect(transactor.acquires).toHaveLength(2);
  });

  it('and the rebalance is heard of soon after: nothing has happened', async () => {
    const { clock, transactor, push, settle, failures, lane, committer } = await setUp();
    await settle(...push(0, 1));
    transactor.commits[0]?.reject(fenced);
    await clock.advance(LIMITS.fencedGraceMs / 2);
    lane.drop();
    await clock.advance(LIMITS.fencedGraceMs);
    await committer.idle();
    expect(failures).toEqual([]);
    expect(transactor.isClosed).toBe(true);
  });

  it('in a lane that is dropped already: nothing has happened', async () => {
    const { transactor, push, settle, failures, lane, committer } = await setUp();
    await settle(...push(0, 1));
    lane.drop();
    transactor.commits[0]?.reject(fenced);
    await committer.idle();
    expect(failures).toEqual([]);
  });
});

describe('the end of a lane', () => {
  it('dropped: nothing is committed any more, also what was settled', async () => {
    const { clock, transactor, push, settle, lane, committer } = await setUp();
    const [one] = push(0, 2);
    lane.push(records(2, 1));
    await settle(one);
    lane.drop();
    await clock.advance(LIMITS.transactionIntervalMs);
    await committer.idle();
    expect(transactor.commits).toHaveLength(0);
    expect(transactor.isClosed).toBe(true);
  });

  it('dropped while acquiring: the acquisition may not fence the next owner', async () => {
    const transactor = new FakeTransactor();
    const telemetry = new Telemetry();
    const clock = new ManualClock();
    const committer = new Committer({
      openTransactor: async () => transactor,
      intervalMs: LIMITS.transactionIntervalMs,
      clock,
      logger: silentLogger,
      telemetry,
      onFailed: () => undefined,
    });
    const lane = newLane({ telemetry });
    committer.serve(lane);
    await settled();
    lane.drop();
    await settled();
    expect(transactor.isClosed).toBe(true);
  });

  it('drained: what is under way is committed first', async () => {
    const { transactor, push, settle, lane, committer } = await setUp();
    const [one] = push(0, 1);
    lane.push(records(1, 3));
    lane.drain();
    let isIdle = false;
    void committer.idle().then(() => {
      isIdle = true;
    });
    await settle(one);
    expect(transactor.commits).toMatchObject([{ keys: ['r0'], nextOffset: 1 }]);
    expect(isIdle).toBe(false);
    transactor.commits[0]?.resolve();
    await settled();
    expect(isIdle).toBe(true);
    expect(transactor.isClosed).toBe(true);
  });
});

describe('the memory of processed frames', () => {
  const frame = { cameraId: 'cam-1', epoch: 1, sequence: 3 };

  it('is committed with the position, and comes back with it', async () => {
    const { transactor, push, settle, lane, clock } = await setUp();
    const [one, two] = push(0, 2);
    if (one !== undefined) one.identity = frame;
    if (two !== undefined) two.identity = { ...frame, sequence: 4 };
    await settle(one);
    await clock.advance(LIMITS.transactionIntervalMs);
    expect(transactor.commits[0]?.note).toBe('1 cam-1 3');
    transactor.commits[0]?.resolve();
    await settled();
    expect(lane.memory.has({ ...frame, sequence: 4 })).toBe(false);
  });

  it('comes from the note of whoever had the partition before', async () => {
    const { lane } = await setUp();
    expect(lane.admit(frame)).toBe(true);
    const fresh = newLane({ generation: 2 });
    fresh.open(1, FrameMemory.fromNote('1 cam-1 3'));
    expect(fresh.admit(frame)).toBe(false);
    expect(fresh.admit({ ...frame, sequence: 4 })).toBe(true);
  });
});
