import { describe, expect, it } from 'vitest';
import { readInOrder } from '#consumers/subscriber/read-in-order.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { storedResults } from '../export/stored-results.ts';
import { detection } from './results.ts';

const CAMERAS = ['gate', 'yard', 'north-1', 'roof', 'street'];

/** Results of every camera, in transactions of which some are aborted; and readings of them. */
async function setUp(seed: number, count = 60) {
  const scene = storedResults(seed);
  const { drive, write, record, broker, topics, clock, cluster } = scene;
  const topic = topics.results.detection.name;
  for (let sequence = 0; sequence < count; sequence++) {
    const records = CAMERAS.map((cameraId) => record(detection([], { cameraId, sequence })));
    await drive(write(records, sequence % 5 !== 4));
  }
  const places: string[] = [];
  const read = (
    onRecord: (record: IncomingRecord) => void | Promise<void> = () => undefined,
    stopping = new AbortController().signal,
    using: Clock = clock,
  ) => {
    const take = (found: IncomingRecord) => {
      places.push(`${found.partition} ${found.offset}`);
      return onRecord(found);
    };
    return drive(readInOrder({ broker, topic, clock: using, stopping, onRecord: take }));
  };
  return { ...scene, topic, read, places, partitions: () => cluster.partitions(topic) };
}

describe('readInOrder', () => {
  it.each([1, 2, 3])(
    'hands out each committed record once, always in one order (%i)',
    async (seed) => {
      const { read, places } = await setUp(seed);
      await read();
      const first = places.splice(0);
      expect(first).toHaveLength(CAMERAS.length * 48);
      const sorted = first.toSorted((a, b) => {
        const [one = 0, two = 0] = [a, b].map((place) => Number(place.split(' ')[0]));
        const [left = 0, right = 0] = [a, b].map((place) => Number(place.split(' ')[1]));
        return one - two || left - right;
      });
      expect(first).toEqual(sorted);
      await read();
      expect(places).toEqual(first);
    },
  );

  it('leaves what comes meanwhile to the next reading', async () => {
    const { read, places, record, broker, drive } = await setUp(1);
    const producer = await drive(broker.openProducer());
    await read(async () => {
      if (places.length % 20 !== 0) return;
      await producer.send([record(detection([], { cameraId: 'gate', sequence: 1000 }))]);
    });
    expect(places).toHaveLength(CAMERAS.length * 48);
  });

  it('goes on where everything that it has still to read is deleted meanwhile', async () => {
    const { read, places, partitions } = await setUp(1);
    await read(({ partition }) => {
      for (const log of partitions()) if (log.partition > partition) log.deleteAll();
    });
    expect(new Set(places.map((place) => place.split(' ')[0])).size).toBe(1);
  });

  it('leaves the event loop to others while it has much at hand', async () => {
    const { read, places, clock } = await setUp(1);
    let turns = 0;
    // As if each record took two milliseconds.
    const busy: Clock = {
      nowUs: () => clock.nowUs(),
      monotonicMs: () => clock.monotonicMs() + 2 * places.length,
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (ms, action) => clock.after(ms, action),
      every: (ms, action) => clock.every(ms, action),
      turn: () => {
        turns++;
        return clock.turn();
      },
    };
    await read(undefined, undefined, busy);
    const atMost = (2 * places.length) / LIMITS.readerTurnMs;
    expect(turns).toBeLessThanOrEqual(atMost);
    expect(turns).toBeGreaterThan(atMost / 2);
  });

  it('ends when it is told to, and with what its reader throws', async () => {
    const { read, places } = await setUp(1);
    const stopping = new AbortController();
    await read(() => {
      if (places.length === 10) stopping.abort();
    }, stopping.signal);
    expect(places.length).toBeLessThan(CAMERAS.length * 48);
    const fails = read(() => Promise.reject(new Error('no room')));
    await expect(fails).rejects.toThrow('no room');
  });

  it('of an empty topic is over at once', async () => {
    const { read, places } = await setUp(1, 0);
    expect(await read()).toHaveLength(3);
    expect(places).toEqual([]);
  });
});
