import { describe, expect, it } from 'vitest';
import {
  type Delivery,
  type SubscribeOptions,
  subscribe,
} from '#consumers/subscriber/subscribe.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker, ConsumerHandlers, ConsumerOptions, IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { SpanOptions } from '#runtime/trace.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { type DetectionResult, encodeResult } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { detection } from './results.ts';

const TOPICS = topicTable({ prefix: 'test' });
const FRAMING = singleObjectFraming();

function recordOf(offset: number, changes: Partial<IncomingRecord> = {}): IncomingRecord {
  const cameraId = changes.key ?? 'gate';
  const result = detection([['person', 0.9]], { cameraId, sequence: offset });
  return {
    topic: TOPICS.results.detection.name,
    partition: 0,
    offset,
    key: cameraId,
    value: encodeResult(result, FRAMING),
    headers: {},
    timestampMs: 0,
    ...changes,
  };
}

/** A broker whose one consumer gets the records that the test hands it. */
class FakeBroker {
  opened: ConsumerOptions | undefined;
  isStopped = false;
  #handlers: ConsumerHandlers | undefined;

  openConsumer(options: ConsumerOptions) {
    this.opened = options;
    return {
      start: async (handlers: ConsumerHandlers) => {
        this.#handlers = handlers;
      },
      pause: () => undefined,
      resume: () => undefined,
      stop: async () => {
        this.isStopped = true;
      },
    };
  }

  /** Resolves when the position may be committed; rejects when it must not be. */
  async fetch(...records: IncomingRecord[]): Promise<void> {
    await defined(this.#handlers, 'handlers').onRecords(records);
  }
}

/** Each look at it takes a microsecond. */
class TickingClock extends ManualClock {
  #looks = 0;

  override nowUs(): number {
    return super.nowUs() + this.#looks++;
  }
}

async function subscribed(
  handler: (result: DetectionResult, delivery: Delivery) => void | Promise<void>,
  changes: Partial<SubscribeOptions<'detection'>> = {},
) {
  const fake = new FakeBroker();
  const clock = new ManualClock();
  const broker = fake as unknown as Broker;
  const base = { broker, framing: FRAMING, topics: TOPICS, clock };
  const subscription = await subscribe({ ...base, tasks: ['detection'], ...changes }, handler);
  return { fake, clock, subscription };
}

describe('subscribe', () => {
  it('reads committed records only, and commits after the handler', async () => {
    const { fake } = await subscribed(() => undefined, { groupId: 'mine', from: 'earliest' });
    expect(fake.opened).toEqual({
      groupId: 'mine',
      topics: [TOPICS.results.detection.name],
      from: 'earliest',
      readCommitted: true,
      commit: 'after-records',
    });
  });

  it('without a group id, has a group that nobody else is in', async () => {
    const [one, other] = [await subscribed(() => undefined), await subscribed(() => undefined)];
    expect(one.fake.opened?.groupId).not.toBe(other.fake.opened?.groupId);
    expect(one.fake.opened?.from).toBe('latest');
  });

  it('hands over typed results with where they came from, in order, one at a time', async () => {
    const seen: string[] = [];
    let running = 0;
    const { fake, subscription } = await subscribed(async (result, delivery) => {
      running++;
      await Promise.resolve();
      expect(running).toBe(1);
      seen.push(`${delivery.frameId} ${result.detections[0]?.label} @${delivery.offset}`);
      running--;
    });
    await fake.fetch(recordOf(0), recordOf(1));
    expect(seen).toEqual(['gate-1700000000000-0 person @0', 'gate-1700000000000-1 person @1']);
    expect(subscription.report()).toEqual({ delivered: 2, retried: 0, undecodable: 0, skipped: 0 });
  });

  it('is back-pressure: the position waits for a slow handler', async () => {
    const slow = Promise.withResolvers<void>();
    const { fake, clock } = await subscribed(() => slow.promise);
    let isDone = false;
    const fetched = fake.fetch(recordOf(0)).then(() => {
      isDone = true;
    });
    await clock.advance(60_000);
    expect(isDone).toBe(false);
    slow.resolve();
    await fetched;
  });

  it('leaves out other cameras without decoding their results', async () => {
    const seen: string[] = [];
    const { fake, subscription } = await subscribed((result) => void seen.push(result.cameraId), {
      cameras: ['gate'],
    });
    await fake.fetch(recordOf(0, { key: 'yard', value: new Uint8Array(3) }), recordOf(1));
    expect(seen).toEqual(['gate']);
    expect(subscription.report()).toMatchObject({ skipped: 1, undecodable: 0 });
  });

  it('counts and reports what is no result, and goes on', async () => {
    const seen: number[] = [];
    const reported: string[] = [];
    const { fake, subscription } = await subscribed((result) => void seen.push(result.sequence), {
      onUndecodable: ({ offset }, error) => reported.push(`${offset} ${(error as Error).message}`),
    });
    await fake.fetch(recordOf(0, { value: null }), recordOf(1));
    expect(seen).toEqual([1]);
    expect(reported).toEqual(['0 detection record is a tombstone (null).']);
    expect(subscription.report()).toMatchObject({ undecodable: 1, delivered: 1 });
  });

  it('hands over nothing twice when a rebalance makes the same records come again', async () => {
    const seen: number[] = [];
    const { fake } = await subscribed((result) => void seen.push(result.sequence));
    const first = fake.fetch(recordOf(0), recordOf(1));
    const again = fake.fetch(recordOf(0), recordOf(1), recordOf(2));
    await Promise.all([first, again]);
    expect(seen).toEqual([0, 1, 2]);
  });

  it('tries a failing handler again, later each time, and then goes on', async () => {
    const attempts: number[] = [];
    const { fake, clock, subscription } = await subscribed((_, { attempt }) => {
      attempts.push(attempt);
      if (attempt < 3) throw new Error('database away');
    });
    const fetched = fake.fetch(recordOf(0));
    await clock.advance(LIMITS.handlerRetryDelayMsMin - 1);
    expect(attempts).toEqual([1]);
    await clock.advance(3 * LIMITS.handlerRetryDelayMsMin);
    await fetched;
    expect(attempts).toEqual([1, 2, 3]);
    expect(subscription.report()).toMatchObject({ delivered: 1, retried: 2 });
  });

  it('ends, its position before the result, when that does not help', async () => {
    const { fake, clock, subscription } = await subscribed(() => {
      throw new Error('no');
    });
    const fetched = fake.fetch(recordOf(0), recordOf(1)).catch((error: unknown) => error);
    await clock.advance(60_000);
    expect(await fetched).toMatchObject({ code: 'handler-failed' });
    await expect(subscription.ended).rejects.toMatchObject({
      code: 'handler-failed',
      message: expect.stringContaining('detection gate-1700000000000-0: Error: no'),
    });
    expect(fake.isStopped).toBe(true);
    expect(subscription.report().delivered).toBe(0);
  });

  it('stop waits for the handler, and commits nothing that it did not do', async () => {
    const begun = Promise.withResolvers<void>();
    const slow = Promise.withResolvers<void>();
    const seen: number[] = [];
    const { fake, subscription } = await subscribed(async (result) => {
      begun.resolve();
      await slow.promise;
      seen.push(result.sequence);
    });
    const fetched = fake.fetch(recordOf(0), recordOf(1)).catch((error: unknown) => error);
    await begun.promise;
    const stopped = subscription.stop();
    slow.resolve();
    await stopped;
    expect(await fetched).toBeInstanceOf(Error);
    expect(seen).toEqual([0]);
    await expect(subscription.ended).resolves.toBeUndefined();
  });

  it('continues the trace of a sampled frame in the handler', async () => {
    const started: (SpanOptions & { name: string })[] = [];
    const ended: string[] = [];
    const tracer = {
      start: (name: string, options: SpanOptions = {}) => {
        started.push({ name, ...options });
        const sampled = options.parent !== undefined;
        return {
          sampled,
          traceparent: () => (sampled ? 'the handler’s parent' : undefined),
          set: () => undefined,
          fail: () => undefined,
          end: () => void ended.push(name),
        };
      },
    };
    const deliveries: Delivery[] = [];
    const clock = new TickingClock();
    const { fake } = await subscribed((_, delivery) => void deliveries.push(delivery), {
      tracer,
      clock,
    });
    const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await fake.fetch(recordOf(0, { headers: { traceparent: Buffer.from(parent) } }), recordOf(1));
    expect(started).toMatchObject([
      { name: 'deliver', kind: 'consumer', parent },
      { name: 'deliver', parent: undefined },
    ]);
    expect(ended).toEqual(['deliver', 'deliver']);
    const parents = deliveries.map(({ traceparent }) => traceparent);
    expect(parents).toEqual(['the handler’s parent', undefined]);
    // The age that the handler computes ends where the step begins.
    const received = deliveries.map(({ receivedTimeUs }) => receivedTimeUs);
    expect(received).toEqual(started.map(({ startTimeUs }) => startTimeUs));
  });

  it('refuses a task that does not exist', async () => {
    const tasks = ['detekt'] as unknown as ['detection'];
    await expect(subscribed(() => undefined, { tasks })).rejects.toMatchObject({
      code: 'usage-invalid',
      advice: 'Tasks are: classification, detection, segmentation.',
    });
  });
});
