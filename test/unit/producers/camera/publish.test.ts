import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Publisher } from '#producers/camera/publish.ts';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';
import { ManualClock, settle } from '#test/fixtures/manual-clock.ts';
import { JourneyMaker } from './journeys.ts';

const AWAY = new HalfsightError('publish-failed', 'the broker is away.');

/** Answers each send when the test says so. */
class FakeProducer {
  readonly sends: (readonly OutgoingRecord[])[] = [];
  acknowledge: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  isSending = false;

  send(records: readonly OutgoingRecord[]): Promise<void> {
    expect(this.isSending, 'one send at a time').toBe(false);
    expect(records.length).toBeGreaterThan(0);
    this.sends.push(records);
    this.isSending = true;
    return new Promise<void>((resolve, reject) => {
      this.acknowledge = resolve;
      this.fail = reject;
    }).finally(() => {
      this.isSending = false;
    });
  }
}

function setUp() {
  const clock = new ManualClock();
  const producer = new FakeProducer();
  const journeys = new JourneyMaker();
  const random = seededRandom(1);
  /** Cameras that are not this agent's any more. */
  const lost = new Set<string>();
  const publisher = new Publisher({
    producer,
    spool: undefined,
    ownsNow: (cameraId) => !lost.has(cameraId),
    clock,
    logger: silentLogger,
    random,
  });
  const publish = (cameraId: string, bytes = 100) => {
    const journey = journeys.next(cameraId);
    const headers = { 'frame-id': String(journey.identity.sequence) };
    const value = new Uint8Array(bytes);
    publisher.publish(journey, { topic: 'frames', key: cameraId, value, headers });
  };
  return { clock, producer, journeys, lost, publisher, publish };
}

function namesOf(records: readonly OutgoingRecord[] | undefined): string[] {
  return (records ?? []).map(({ key, headers }) => `${key}:${headers['frame-id']}`);
}

describe('the accumulator of Publisher', () => {
  it('sends a frame at once, and the next ones together sendIntervalMs after it', async () => {
    const { clock, producer, publish } = setUp();
    publish('a');
    expect(namesOf(producer.sends[0])).toEqual(['a:0']);
    producer.acknowledge();
    await clock.advance(1);
    publish('a');
    await clock.advance(LIMITS.sendIntervalMs - 2);
    publish('b');
    expect(producer.sends).toHaveLength(1);
    await clock.advance(1);
    expect(namesOf(producer.sends[1])).toEqual(['a:1', 'b:0']);
    producer.acknowledge();
    await clock.advance(LIMITS.sendIntervalMs);
    publish('a');
    expect(namesOf(producer.sends[2]), 'rarer ones never wait').toEqual(['a:2']);
  });

  it('sends at once when it is full', async () => {
    const { producer, publish } = setUp();
    publish('a');
    producer.acknowledge();
    await settle();
    publish('a');
    publish('b', LIMITS.accumulatorBytesStart);
    expect(namesOf(producer.sends[1]), 'as many as fit').toEqual(['a:1']);
  });

  it('never puts more than accumulatorBytesMax into one send', async () => {
    const { clock, producer, publish } = setUp();
    publish('a');
    for (let index = 0; index < 40; index++) publish('a', 100_000);
    while (producer.isSending) {
      producer.acknowledge();
      await clock.advance(LIMITS.sendIntervalMs);
    }
    const sizes = producer.sends.map((records) => records.reduce((n, r) => n + r.value.length, 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(LIMITS.accumulatorBytesMax);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(40 * 100_000 + 100);
  });

  it('sets its timer once for all the frames that it sends together', async () => {
    const { clock, producer, publish } = setUp();
    let timers = 0;
    const { after } = clock;
    clock.after = (ms, action) => {
      timers++;
      return after.call(clock, ms, action);
    };
    publish('a');
    for (let round = 1; round <= 3; round++) {
      producer.acknowledge();
      await settle();
      for (let index = 0; index < 5; index++) publish('a');
      expect(timers).toBe(round);
      await clock.advance(LIMITS.sendIntervalMs);
      expect(producer.sends).toHaveLength(1 + round);
    }
  });

  it('collects while a send is on its way, and sends that together', async () => {
    const { clock, producer, publish } = setUp();
    publish('a');
    publish('a');
    publish('b');
    await clock.advance(LIMITS.sendIntervalMs * 10);
    expect(producer.sends).toHaveLength(1);
    producer.acknowledge();
    await settle();
    expect(namesOf(producer.sends[1])).toEqual(['a:1', 'b:0']);
  });
});

describe('Publisher on a thin line', () => {
  /** What is sent in `ms`, and how long it took, where the line carries so many bytes a second. */
  async function carry(bytesPerSecond: number, frames: number, ms: number) {
    const { clock, producer, journeys, publish } = setUp();
    const sends: { readonly bytes: number; readonly tookMs: number }[] = [];
    publish('a');
    for (let index = 0; index < frames; index++) publish('a', 3_000);
    for (
      const endMs = clock.monotonicMs() + ms;
      producer.isSending && clock.monotonicMs() < endMs;
    ) {
      const bytes = producer.sends.at(-1)?.reduce((sum, { value }) => sum + value.length, 0) ?? 0;
      const tookMs = (bytes * 1000) / bytesPerSecond;
      await clock.advance(Math.min(tookMs, LIMITS.requestTimeoutMs));
      sends.push({ bytes, tookMs });
      const isLate = tookMs > LIMITS.requestTimeoutMs;
      if (isLate) producer.fail(AWAY);
      else producer.acknowledge();
      await clock.advance(isLate ? LIMITS.publishRetryDelayMsMax * 2 : LIMITS.sendIntervalMs);
    }
    return { sends, counts: journeys.account('a').counts() };
  }

  it('sends no more than it carries in a part of the time-out', async () => {
    const { sends, counts } = await carry(4_700, 100, 120_000);
    expect(counts).toMatchObject({ published: 101, inFlight: 0 });
    expect(Math.max(...sends.map(({ tookMs }) => tookMs))).toBeLessThan(LIMITS.requestTimeoutMs);
    expect(Math.max(...sends.slice(4).map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(
      2 * LIMITS.sendSlowMs,
    );
  });

  it('makes its batches as large as may be where the line is wide', async () => {
    const { sends, counts } = await carry(10_000_000, 1_000, 120_000);
    expect(counts).toMatchObject({ published: 1_001, inFlight: 0 });
    expect(Math.max(...sends.map(({ bytes }) => bytes))).toBeGreaterThan(
      0.8 * LIMITS.accumulatorBytesMax,
    );
  });

  it('takes apart a batch that a line of yesterday would have carried', async () => {
    const { clock, producer, journeys, publish } = setUp();
    const acknowledge = async () => {
      producer.acknowledge();
      await clock.advance(LIMITS.sendIntervalMs);
    };
    for (let index = 0; index < 20; index++) publish('a', 20_000);
    while (producer.isSending) await acknowledge();
    for (let index = 0; index < 20; index++) publish('a', 20_000);
    await acknowledge();
    const [large] = producer.sends.slice(-1);
    expect(large?.length).toBeGreaterThan(4);
    producer.fail(AWAY);
    await clock.advance(LIMITS.publishRetryDelayMsMax * 2);
    const [piece] = producer.sends.slice(-1);
    expect(namesOf(piece)).toEqual(namesOf(large).slice(0, 1));
    while (producer.isSending) await acknowledge();
    expect(journeys.account('a').counts()).toMatchObject({ published: 40, inFlight: 0 });
  });
});

describe('Publisher while the broker is away', () => {
  it('sends the very same batch again, before anything newer', async () => {
    const { clock, producer, journeys, publish } = setUp();
    publish('a');
    publish('a');
    for (let failures = 0; failures < 4; failures++) {
      producer.fail(AWAY);
      await clock.advance(LIMITS.publishRetryDelayMsMax * 2);
    }
    expect(producer.sends).toHaveLength(5);
    expect(new Set(producer.sends.map((records) => namesOf(records).join()))).toEqual(
      new Set(['a:0']),
    );
    expect(journeys.account('a').counts().inFlight).toBe(2);
    producer.acknowledge();
    await settle();
    expect(namesOf(producer.sends[5])).toEqual(['a:1']);
    producer.acknowledge();
    await settle();
    expect(journeys.account('a').counts()).toMatchObject({ published: 2, inFlight: 0 });
  });

  it('bounds its backlog by dropping the newest frames of the camera that holds most', async () => {
    const { producer, journeys, publisher, publish } = setUp();
    publish('modest', 1000);
    const fits = Math.floor(LIMITS.publishBacklogBytesMax / 200_000);
    for (let index = 0; index < fits + 20; index++) {
      publish('greedy', 200_000);
      if (index % 10 === 0) publish('modest', 1000);
      expect(publisher.report().bytes).toBeLessThanOrEqual(LIMITS.publishBacklogBytesMax);
    }
    expect(journeys.account('modest').dropped).toEqual({});
    const dropped = journeys.account('greedy').dropped['publish-backlog'] ?? 0;
    expect(dropped).toBeGreaterThanOrEqual(20);
    const counts = ['greedy', 'modest'].map((id) => journeys.account(id).counts());
    const [captured, inFlight] = [
      counts.reduce((sum, one) => sum + one.captured, 0),
      counts.reduce((sum, one) => sum + one.inFlight, 0),
    ];
    expect(publisher.queueState()).toMatchObject({ in: captured, length: inFlight, dropped });
    const drained = publisher.drain();
    while (producer.isSending) {
      producer.acknowledge();
      await settle();
    }
    await drained;
    const greedy = producer.sends.flatMap(namesOf).filter((name) => name.startsWith('greedy'));
    expect(greedy, 'the oldest ones were kept').toEqual(
      Array.from({ length: greedy.length }, (_, index) => `greedy:${index}`),
    );
  });

  it('sets aside a record that the broker refuses for its size, and no other', async () => {
    const { clock, producer, journeys, publish } = setUp();
    publish('a');
    publish('a');
    publish('b', 5000);
    publish('c');
    producer.acknowledge();
    await clock.advance(LIMITS.sendIntervalMs);
    producer.fail(new HalfsightError('record-too-large', 'over max.message.bytes.'));
    await settle();
    expect(namesOf(producer.sends[2])).toEqual(['a:1', 'c:0']);
    producer.acknowledge();
    await settle();
    expect(journeys.account('b').dropped).toEqual({ 'record-too-large': 1 });
    expect(journeys.account('a').counts().published).toBe(2);
  });
});

describe('Publisher.drain', () => {
  it('sends what is left without a wait', async () => {
    const { clock, producer, publisher, publish } = setUp();
    publish('a');
    producer.acknowledge();
    await settle();
    publish('a');
    const drained = publisher.drain();
    expect(producer.sends).toHaveLength(2);
    producer.acknowledge();
    await drained;
    expect(clock.timerCount).toBe(0);
  });

  it('drops with `shutdown` what the broker has not acknowledged in time', async () => {
    const { clock, producer, journeys, publisher, publish } = setUp();
    publish('a');
    publish('a');
    const drained = publisher.drain();
    await clock.advance(LIMITS.publishDrainTimeoutMs);
    await drained;
    expect(journeys.account('a').counts()).toMatchObject({ dropped: { shutdown: 2 }, inFlight: 0 });
    producer.acknowledge();
    await settle();
    expect(journeys.account('a').counts().published).toBe(0);
    publish('a');
    expect(journeys.account('a').dropped).toEqual({ shutdown: 3 });
  });

  it('ends at once when there is nothing', async () => {
    const { publisher } = setUp();
    await publisher.drain();
  });
});

describe('Publisher under random interleavings', () => {
  it('keeps the order of each camera, loses nothing, and its books balance', async () => {
    const step = fc.oneof(
      fc.record({
        type: fc.constant('publish' as const),
        camera: fc.constantFrom('a', 'b', 'c'),
        bytes: fc.constantFrom(100, 50_000, LIMITS.frameRecordBytesMax),
      }),
      fc.record({ type: fc.constantFrom('acknowledge' as const, 'fail' as const) }),
      fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (script) => {
        const { clock, producer, journeys, publisher, publish } = setUp();
        const acknowledged: string[] = [];
        const acknowledge = async () => {
          if (!producer.isSending) return;
          acknowledged.push(...namesOf(producer.sends.at(-1)));
          producer.acknowledge();
          await settle();
        };
        for (const event of script) {
          if (event.type === 'publish') publish(event.camera, event.bytes);
          else if (event.type === 'wait') await clock.advance(event.ms);
          else if (event.type === 'acknowledge') await acknowledge();
          else {
            producer.fail(AWAY);
            await settle();
          }
        }
        const drained = publisher.drain();
        while (publisher.report().records > 0) {
          await acknowledge();
          await clock.advance(1);
        }
        await drained;
        for (const account of journeys.accounts.values()) {
          const own = acknowledged.filter((name) => name.startsWith(`${account.cameraId}:`));
          const { captured, published, inFlight } = account.counts();
          // The backlog holds all of this script, so nothing may be dropped.
          expect(own).toEqual(own.map((_, index) => `${account.cameraId}:${index}`));
          expect({ captured, inFlight }).toEqual({ captured: published, inFlight: 0 });
          expect(published).toBe(own.length);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('Publisher and cameras that come and go', () => {
  it('drops what waits of a camera that is not ours any more, and sends the others', async () => {
    const { clock, producer, journeys, lost, publish } = setUp();
    publish('b');
    publish('a');
    publish('b');
    lost.add('a');
    producer.acknowledge();
    await clock.advance(LIMITS.sendIntervalMs);
    expect(producer.sends.map(namesOf)).toEqual([['b:0'], ['b:1']]);
    expect(journeys.account('a').counts()).toMatchObject({ dropped: { 'not-owner': 1 } });
    lost.add('b');
    producer.fail(AWAY);
    await clock.advance(LIMITS.publishRetryDelayMsMax);
    expect(namesOf(producer.sends[2]), 'it may have arrived').toEqual(['b:1']);
  });

  it('sends nothing more, and can be drained, when all are gone', async () => {
    const { clock, producer, journeys, lost, publisher, publish } = setUp();
    publish('b');
    publish('a');
    publish('a');
    lost.add('a');
    const drained = publisher.drain();
    producer.acknowledge();
    await drained;
    expect(producer.sends.map(namesOf)).toEqual([['b:0']]);
    expect(journeys.account('a').dropped).toEqual({ 'not-owner': 2 });
    expect(clock.timerCount).toBe(0);
  });

  it('tells when nothing of a camera is left, pending or on its way', async () => {
    const { clock, producer, publisher, publish } = setUp();
    const told: string[] = [];
    const tell = (name: string) => publisher.settled(name).then(() => told.push(name));
    publish('a');
    publish('b');
    for (const name of ['a', 'b', 'never-seen']) void tell(name);
    await settle();
    expect(told).toEqual(['never-seen']);
    producer.acknowledge();
    await clock.advance(LIMITS.sendIntervalMs);
    expect(told).toEqual(['never-seen', 'a']);
    producer.acknowledge();
    await settle();
    expect(told).toEqual(['never-seen', 'a', 'b']);
  });
});
