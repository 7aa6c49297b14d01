import { expect, it } from 'vitest';
import { readPastStatuses } from '#consumers/dashboard/past-statuses.ts';
import type { Broker, FetchRequest, IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type CameraStatus, encodeCameraStatus } from '#schemas/camera-status.ts';
import { singleObjectFraming } from '#schemas/framing.ts';

const framing = singleObjectFraming();
const PER_FETCH = 1_000;

function status(cameraId: string, captured: number): CameraStatus {
  return {
    ...{ cameraId, captured, epoch: 1, agentId: 'a', state: 'online', published: 0, dropped: {} },
    ...{ reconnects: 0, lastFrameTimeUs: null, framesPerSecond: 1, ratePoint: null },
    ...{ framesPerSecondLimit: null, profileChanges: 0, timeUs: 1, final: false },
    ...{ interrupted: false, sendsPictures: false, detail: '' },
  };
}

/** A topic of one partition: its record at `offset` is what `valueAt` says. */
function topicOf(low: number, high: number, valueAt: (offset: number) => Uint8Array | null) {
  const asked: number[] = [];
  const fetch = async ({ topic, partition, offset }: FetchRequest) => {
    asked.push(offset);
    const nextOffset = Math.min(high, offset + PER_FETCH);
    const records = Array.from({ length: nextOffset - offset }, (_, index): IncomingRecord => {
      const at = { topic, partition, offset: offset + index };
      const value = valueAt(at.offset);
      return { ...at, key: `camera-${at.offset % 2}`, value, headers: {}, timestampMs: 0 };
    });
    return { records, nextOffset };
  };
  const offsets = async () => [{ partition: 0, low, high }];
  return { broker: { fetch, offsets } as unknown as Broker, asked };
}

async function read(broker: Broker) {
  const statuses: CameraStatus[] = [];
  const report = await readPastStatuses({
    ...{ broker, framing, topic: 'status', over: new AbortController().signal },
    onStatus: (found) => statuses.push(found),
  });
  return { statuses, report };
}

it('reads all that there is, of each camera what it said last', async () => {
  const { broker } = topicOf(0, 500, (offset) =>
    encodeCameraStatus(status(`camera-${offset % 2}`, offset), framing),
  );
  const { statuses, report } = await read(broker);
  expect(statuses.map(({ captured }) => captured)).toEqual([498, 499]);
  expect(report).toEqual({ records: 500, passedOver: 0, unreadable: 0 });
});

it('reads the oldest and the newest of too many', async () => {
  const max = LIMITS.wallStatusRecordsMax;
  const value = encodeCameraStatus(status('camera-0', 1), framing);
  const { broker, asked } = topicOf(10, 10 + 3 * max, () => value);
  const { report } = await read(broker);
  expect(report).toEqual({ records: max, passedOver: 2 * max, unreadable: 0 });
  expect(asked[0]).toBe(10);
  expect(asked.at(-1)).toBe(10 + 3 * max - PER_FETCH);
});

it('passes over what is no status, and counts it', async () => {
  const values = [new Uint8Array([1, 2, 3]), null];
  const { broker } = topicOf(0, 2, (offset) => values[offset] ?? null);
  const { statuses, report } = await read(broker);
  expect(statuses).toEqual([]);
  expect(report).toMatchObject({ unreadable: 2 });
});
