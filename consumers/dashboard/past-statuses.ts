import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type CameraStatus, decodeCameraStatus } from '#schemas/camera-status.ts';
import type { Framing } from '#schemas/framing.ts';
import { framedValue } from '#schemas/schema-id.ts';

export interface PastStatusesOptions {
  readonly broker: Broker;
  readonly framing: Framing;
  readonly topic: string;
  readonly over: AbortSignal;
  /** The newest of a camera may come more than once. */
  readonly onStatus: (status: CameraStatus) => void;
}

export interface PastStatusesReport {
  readonly records: number;
  /** Between what compaction has left and what is newest. */
  readonly passedOver: number;
  readonly unreadable: number;
}

/**
 * Reads what is on the topic of statuses now. Kafka keeps the newest status of each camera, and all
 * of the last day; where those are too many, the oldest and the newest are read: what compaction
 * has left of cameras that are long gone, and what the others said last.
 */
export async function readPastStatuses(options: PastStatusesOptions): Promise<PastStatusesReport> {
  const { broker, topic } = options;
  const partitions = await broker.offsets(topic);
  const budget = Math.ceil(LIMITS.wallStatusRecordsMax / Math.max(1, partitions.length));
  const total = { records: 0, passedOver: 0, unreadable: 0 };
  for (const { partition, low, high } of partitions) {
    const isAll = high - low <= budget;
    const half = Math.floor(budget / 2);
    const ranges = isAll ? [[low, high]] : [[low, low + half] as const, [high - half, high]];
    if (!isAll) total.passedOver += high - low - 2 * half;
    for (const [from = 0, to = 0] of ranges) {
      const read = await readRange(options, { partition, from, to });
      total.records += read.records;
      total.unreadable += read.unreadable;
    }
  }
  return total;
}

interface Range {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

async function readRange(options: PastStatusesOptions, { partition, from, to }: Range) {
  const { broker, topic, over } = options;
  const count = { records: 0, unreadable: 0 };
  let offset = from;
  while (offset < to && !over.aborted) {
    const bytesMax = LIMITS.wallStatusFetchBytes;
    const { records, nextOffset } = await broker.fetch({ topic, partition, offset, bytesMax });
    // Of each camera only the newest: thousands of statuses are of a few cameras.
    const newest = new Map(records.map((record) => [record.key, record]));
    for (const record of newest.values()) count.unreadable += await enter(record, options);
    count.records += records.length;
    if (nextOffset <= offset) break;
    offset = nextOffset;
  }
  return count;
}

/** 1 for a record that is no status. */
async function enter(
  record: IncomingRecord,
  { framing, onStatus }: PastStatusesOptions,
): Promise<number> {
  const value = framedValue(record);
  try {
    if (value !== null) await framing.learn(value);
    onStatus(decodeCameraStatus(value, framing));
    return 0;
  } catch (error) {
    if (!(error instanceof HalfsightError) || error.canRetry) throw error;
    return 1;
  }
}
