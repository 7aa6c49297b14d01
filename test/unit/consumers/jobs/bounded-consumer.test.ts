import { describe, expect, it } from 'vitest';
import { BoundedConsumer, isPlaceholder } from '#consumers/jobs/bounded-consumer.ts';
import { defined } from '#runtime/assert.ts';
import type { Consumer, ConsumerHandlers } from '#runtime/broker.ts';
import { FRAME_TOPIC, records } from '../inference/fakes.ts';

/** Ranges of partitions 0 and 1 that end at 10 and 20, and what is called on either side. */
function setUp() {
  const calls: string[] = [];
  const out: string[] = [];
  let inner: ConsumerHandlers | undefined;
  const consumer: Consumer = {
    start: async (handlers) => {
      inner = handlers;
    },
    pause: (_, partition) => void calls.push(`pause ${partition}`),
    resume: (_, partition) => void calls.push(`resume ${partition}`),
    stop: async () => void calls.push('stop'),
  };
  const ends = new Map([
    [0, 10],
    [1, 20],
  ]);
  const bounded = new BoundedConsumer(consumer, FRAME_TOPIC, ends);
  void bounded.start({
    onAssigned: () => void out.push('assigned'),
    onRevoked: () => void out.push('revoked'),
    onRecords: (all) => {
      for (const one of all) {
        out.push(`${one.partition}:${one.offset}${isPlaceholder(one) ? ' nothing' : ''}`);
      }
    },
    onFailed: () => undefined,
  });
  const handlers = defined(inner, 'what it gave to the consumer');
  const assign = (...partitions: number[]) => {
    handlers.onAssigned(new Map([[FRAME_TOPIC, partitions]]));
  };
  return { bounded, handlers, assign, calls, out };
}

describe('a bounded consumer', () => {
  it('hands out what lies before the end, then fetches no more of that partition', () => {
    const { bounded, handlers, assign, calls, out } = setUp();
    assign(0, 1);
    void handlers.onRecords(records(7, 6, 0));
    void handlers.onRecords(records(7, 2, 1));
    expect(out).toEqual(['assigned', '0:7', '0:8', '0:9', '1:7', '1:8']);
    expect(calls).toEqual(['pause 0']);
    // Whoever has room again may have it for others.
    bounded.resume(FRAME_TOPIC, 0);
    bounded.resume(FRAME_TOPIC, 1);
    expect(calls).toEqual(['pause 0', 'resume 1']);
    void handlers.onRecords(records(13, 2, 0));
    expect(out).toHaveLength(6);
  });

  it('ends with the last record of a range, without a placeholder', () => {
    const { handlers, assign, calls, out } = setUp();
    assign(0);
    void handlers.onRecords(records(9, 1, 0));
    handlers.onReached?.(FRAME_TOPIC, 0, 10);
    expect(out).toEqual(['assigned', '0:9']);
    expect(calls).toEqual(['pause 0']);
  });

  it.each([
    [
      'a marker there',
      ({ handlers }: ReturnType<typeof setUp>) => {
        handlers.onReached?.(FRAME_TOPIC, 0, 9);
        handlers.onReached?.(FRAME_TOPIC, 0, 10);
      },
    ],
    [
      'a later record',
      ({ handlers }: ReturnType<typeof setUp>) => {
        void handlers.onRecords(records(12, 1, 0));
        handlers.onReached?.(FRAME_TOPIC, 0, 13);
      },
    ],
    [
      'somebody who knows that it was deleted',
      ({ bounded }: ReturnType<typeof setUp>) => {
        bounded.end(0);
        bounded.end(0);
      },
    ],
  ])('puts a placeholder where the last record is not shown: %s', (_, end) => {
    const scene = setUp();
    scene.assign(0, 1);
    void scene.handlers.onRecords(records(7, 1, 0));
    end(scene);
    expect(scene.out).toEqual(['assigned', '0:7', '0:9 nothing']);
    expect(scene.calls).toEqual(['pause 0']);
  });

  it('begins anew with each generation, whose partitions are read from their positions', () => {
    const { bounded, handlers, assign, calls, out } = setUp();
    assign(0);
    void handlers.onRecords(records(9, 3, 0));
    handlers.onRevoked();
    bounded.end(0);
    assign(0);
    bounded.resume(FRAME_TOPIC, 0);
    void handlers.onRecords(records(8, 3, 0));
    expect(out).toEqual(['assigned', '0:9', 'revoked', 'assigned', '0:8', '0:9']);
    expect(calls).toEqual(['pause 0', 'resume 0', 'pause 0']);
  });

  it('reads nothing of a partition that has no range, and ends none that is not its own', () => {
    const { bounded, handlers, assign, calls, out } = setUp();
    assign(7);
    bounded.end(0);
    void handlers.onRecords(records(0, 3, 7));
    expect(out).toEqual(['assigned']);
    expect(calls).toEqual(['pause 7']);
  });
});
