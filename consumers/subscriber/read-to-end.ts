import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TopicReader } from './topic-reader.ts';

export interface ReadToEndOptions {
  readonly broker: Broker;
  /**
   * Their ends are taken in this order, so what refers to something else comes before it: a result
   * before its frame.
   */
  readonly topics: readonly string[];
  /** Of `topics`: those written in transactions only. */
  readonly transactional: ReadonlySet<string>;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  /** Called before the first record with the partitions whose oldest records are deleted. */
  readonly onTrimmed: (topic: string, partitions: ReadonlySet<number>) => void;
  readonly onRecord: (record: IncomingRecord) => void | Promise<void>;
}

/**
 * Reads topics from their oldest record to where they end now. Kafka shows no reader the markers of
 * transactions, nor records of aborted ones, so the last offset may never be seen: a partition is
 * over at the record before its last marker, and all are over when nothing has come for
 * `LIMITS.readerQuietMs`.
 */
export async function readToEnd(options: ReadToEndOptions): Promise<void> {
  const { broker, topics, transactional, clock, stopping } = options;
  const highs = new Map<string, number>();
  /** By topic and partition: reading the record with this offset, or a later one, ends it. */
  const lasts = new Map<string, number>();
  for (const topic of topics) {
    const partitions = await broker.offsets(topic);
    const trimmed = partitions.filter(({ low }) => low > 0).map(({ partition }) => partition);
    options.onTrimmed(topic, new Set(trimmed));
    for (const { partition, low, high } of partitions) {
      if (high === low) continue;
      highs.set(`${topic} ${partition}`, high);
      lasts.set(`${topic} ${partition}`, high - (transactional.has(topic) ? 2 : 1));
    }
  }
  if (lasts.size === 0) return;
  const over = Promise.withResolvers<void>();
  over.promise.catch(() => undefined);
  let lastMs = clock.monotonicMs();
  const reader = new TopicReader({
    broker,
    topics,
    from: 'earliest',
    onRecord: async (record) => {
      const place = `${record.topic} ${record.partition}`;
      lastMs = clock.monotonicMs();
      // What was written since belongs to the next reading.
      if (record.offset >= (highs.get(place) ?? 0)) return;
      await options.onRecord(record);
      lastMs = clock.monotonicMs();
      if (record.offset >= (lasts.get(place) ?? Number.POSITIVE_INFINITY)) lasts.delete(place);
      if (lasts.size === 0) over.resolve();
    },
    onFailed: over.reject,
  });
  stopping.addEventListener('abort', () => over.resolve(), { once: true });
  try {
    await reader.start();
    lastMs = clock.monotonicMs();
    const cancel = clock.every(LIMITS.readerQuietMs / 10, () => {
      if (clock.monotonicMs() - lastMs >= LIMITS.readerQuietMs) over.resolve();
    });
    await over.promise.finally(cancel);
  } finally {
    await reader.stop();
  }
}
