import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedQueue } from '#runtime/queue.ts';

const options = { name: 'test', itemsMax: 40, bytesMax: 100, bytesOf: (item: number) => item };

describe('BoundedQueue', () => {
  it('never exceeds its bounds, keeps order, and accounts for every item', () => {
    const step = fc.oneof(
      fc.record({ push: fc.integer({ min: 0, max: 30 }) }),
      fc.constant('shift' as const),
      fc.constant('drop' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const queue = new BoundedQueue<number>(options);
        const model: number[] = [];
        for (const action of steps) {
          if (action === 'shift') expect(queue.shift()).toBe(model.shift());
          else if (action === 'drop') expect(queue.dropOldest()).toBe(model.shift());
          else if (queue.tryPush(action.push)) model.push(action.push);
          const report = queue.report();
          expect(report.bytes).toBe(model.reduce((sum, item) => sum + item, 0));
          expect(report.bytes).toBeLessThanOrEqual(options.bytesMax);
          expect(report.items).toBeLessThanOrEqual(options.itemsMax);
          expect(report.in).toBe(report.out + report.dropped + report.items);
        }
      }),
    );
  });

  it('takes an item larger than its byte bound only when it is empty', () => {
    const queue = new BoundedQueue<number>(options);
    expect(queue.tryPush(500)).toBe(true);
    expect(queue.tryPush(1)).toBe(false);
    queue.shift();
    expect(queue.tryPush(1)).toBe(true);
    expect(queue.tryPush(500)).toBe(false);
  });
});
