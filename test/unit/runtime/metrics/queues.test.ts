import { expect, it } from 'vitest';
import { QueueMetrics } from '#runtime/metrics/queues.ts';

it('shows every queue in the same families, with the bounds that it has', () => {
  const metrics = new QueueMetrics('test');
  metrics.add('items', () => ({ length: 2, max: 4, in: 10, dropped: 3 }));
  metrics.add('bytes', () => ({ length: 1, bytes: 700, bytesMax: 1000, in: 1, dropped: 0 }));
  const shown = Object.fromEntries(
    metrics.families().map((family) => {
      const samples = family.type === 'histogram' ? [] : family.samples;
      return [family.name, samples.map(({ labels, value }) => [labels.queue, value])];
    }),
  );
  expect(shown).toEqual({
    halfsight_test_queue_length: [
      ['items', 2],
      ['bytes', 1],
    ],
    halfsight_test_queue_max: [['items', 4]],
    halfsight_test_queue_bytes: [['bytes', 700]],
    halfsight_test_queue_max_bytes: [['bytes', 1000]],
    halfsight_test_queue_in_total: [
      ['items', 10],
      ['bytes', 1],
    ],
    halfsight_test_queue_out_total: [
      ['items', 5],
      ['bytes', 0],
    ],
    halfsight_test_queue_dropped_total: [
      ['items', 3],
      ['bytes', 0],
    ],
  });
});
