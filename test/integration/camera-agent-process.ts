import { expect } from 'vitest';
import { decodeBitstream } from '#codec/bitstream.ts';
import { totalOf } from '#consumers/subscriber/epoch-ledger.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { freshSeed } from '#runtime/random.ts';
import { type CameraStatus, decodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeFrame, type FrameRecord, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';

/** All records that are on a topic now, partition by partition in offset order. */
export async function readTopic(broker: Broker, topic: string): Promise<IncomingRecord[]> {
  const ends = new Map(
    (await broker.offsets(topic))
      .filter(({ low, high }) => high > low)
      .map(({ partition, high }) => [partition, high]),
  );
  const records: IncomingRecord[] = [];
  if (ends.size === 0) return records;
  const consumer = broker.openConsumer({
    groupId: `reader-${freshSeed().toString(36)}`,
    topics: [topic],
    from: 'earliest',
    readCommitted: true,
    commit: 'none',
  });
  await new Promise<void>((resolve, reject) => {
    const onRecords = (batch: readonly IncomingRecord[]) => {
      for (const record of batch) {
        const end = ends.get(record.partition);
        if (end === undefined || record.offset >= end) continue;
        records.push(record);
        if (record.offset === end - 1) ends.delete(record.partition);
      }
      if (ends.size === 0) resolve();
    };
    const nothing = () => undefined;
    consumer
      .start({ onAssigned: nothing, onRevoked: nothing, onRecords, onFailed: reject })
      .catch(reject);
  });
  await consumer.stop();
  return records;
}

export async function readStatuses(broker: Broker, topics: TopicTable): Promise<CameraStatus[]> {
  const framing = singleObjectFraming();
  const records = await readTopic(broker, topics.status.name);
  return records.map((record) => {
    const status = decodeCameraStatus(record.value, framing);
    expect(record.key).toBe(status.cameraId);
    return status;
  });
}

export interface EpochBooks {
  readonly frames: readonly FrameRecord[];
  /** Records of frames that were on the topic already: a batch that was sent twice. */
  readonly repeated: number;
  readonly final: CameraStatus;
  readonly droppedCount: number;
}

/**
 * Checks from the topics alone what the agent promises, for every camera and epoch: captured =
 * published + dropped; what is missing on the frame topic is what was dropped; order; every record
 * decodes down to its latent. Returns the books for further checks.
 */
export async function checkBooks(
  broker: Broker,
  topics: TopicTable,
  bundle: Bundle,
): Promise<Map<string, EpochBooks>> {
  const framing = singleObjectFraming();
  const finals = new Map<string, CameraStatus>();
  const epochs = new Set<string>();
  for (const status of await readStatuses(broker, topics)) {
    const name = `${status.cameraId}-${status.epoch}`;
    if (status.epoch > 0) epochs.add(name);
    if (status.final) finals.set(name, status);
    else expect(finals.has(name), `${name} changed after its final status`).toBe(false);
  }
  const frames = new Map<string, FrameRecord[]>();
  for (const record of await readTopic(broker, topics.frames.name)) {
    const frame = decodeFrame(record.value, framing);
    expect(record.key).toBe(frame.cameraId);
    expect(String(Buffer.from(record.headers['frame-id'] ?? []))).toBe(frameId(frame));
    expect(Buffer.from(frame.bundleDigest).toString('hex')).toBe(bundle.digest);
    const tablesOf = (hash: string) => bundle.tablesByHash.get(hash);
    decodeBitstream(frame.bitstream, tablesOf, bundle.latentShape());
    const name = `${frame.cameraId}-${frame.epoch}`;
    epochs.add(name);
    frames.set(name, [...(frames.get(name) ?? []), frame]);
  }
  const books = new Map<string, EpochBooks>();
  for (const name of epochs) {
    const final = defined(finals.get(name), `the final status of ${name}`);
    books.set(name, checkEpoch(name, final, frames.get(name) ?? []));
  }
  return books;
}

function checkEpoch(name: string, final: CameraStatus, all: readonly FrameRecord[]): EpochBooks {
  const droppedCount = totalOf(final.dropped);
  expect(final.captured, `${name}: captured = published + dropped`).toBe(
    final.published + droppedCount,
  );
  const seen = new Set<number>();
  const frames = all.filter(({ sequence }) => {
    const isNew = !seen.has(sequence);
    seen.add(sequence);
    return isNew;
  });
  const sequences = frames.map(({ sequence }) => sequence);
  expect(sequences, `${name}: order`).toEqual(sequences.toSorted((a, b) => a - b));
  expect(frames.length, `${name}: what was acknowledged is on the topic`).toBe(final.published);
  expect(Math.max(-1, ...sequences), `${name}: no frame beyond the captured`).toBeLessThan(
    final.captured,
  );
  // A frame tells how many were dropped before it, so at least the ones that it skipped.
  frames.forEach((frame, index) => {
    const told = totalOf(frame.dropped);
    const missing = frame.sequence - index;
    expect(told, `${frameId(frame)}: drops told`).toBeGreaterThanOrEqual(missing);
  });
  return { frames, repeated: all.length - frames.length, final, droppedCount };
}
