import { LIMITS } from '#runtime/limits.ts';
import type { Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import type { AgentsPlan } from './agents.ts';
import type { Constants } from './constants.ts';
import type { ConsumersPlan } from './consumers.ts';
import type { Fleet } from './fleet.ts';

/** Header of a record batch: https://kafka.apache.org/documentation/#recordbatch */
export const BATCH_BYTES = 61;
/** A batch with the one record that ends a transaction, in each partition that it wrote to. */
export const MARKER_BYTES = 78;
/** `segment.bytes` and `segment.ms` of the broker, which no topic here changes. */
const SEGMENT_BYTES = 1024 ** 3;
const SEGMENT_SECONDS = 7 * 86_400;
/** A camera in the note of a position (consumers/inference/dedupe.ts): epoch, id, number. */
const NOTE_BYTES_PER_CAMERA = 36;

export interface TopicTraffic {
  readonly name: string;
  readonly recordsPerSecond: number;
  /** Written by clients; a copy on each further replica comes on top. */
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
  /** All replicas; at the end of the retention, just before a segment goes. */
  readonly diskBytes: number;
  /** Part of it: what is older than the retention says, in a segment that is still being filled. */
  readonly openSegmentBytes: number;
}

/** Bytes of the frame topic, a frame. */
export function frameBytes(
  { bytes }: Pick<Constants, 'bytes'>,
  bitstreamBytes: number,
  recordsPerBatch: number,
): number {
  return bitstreamBytes + bytes.frameOverhead + BATCH_BYTES / recordsPerBatch;
}

/** Bytes of a result topic, a frame; a transaction is one batch and one marker in a partition. */
export function resultBytes(
  { bytes }: Pick<Constants, 'bytes'>,
  head: Task,
  framesPerTransaction: number,
): number {
  return bytes[head] + (BATCH_BYTES + MARKER_BYTES) / framesPerTransaction;
}

/** Bytes of Kafka's own topics, a transaction. */
export function transactionBytes(
  { bytes }: Pick<Constants, 'bytes'>,
  camerasPerPartition: number,
): number {
  const note = Math.min(LIMITS.positionNoteBytesMax, NOTE_BYTES_PER_CAMERA * camerasPerPartition);
  return bytes.transaction + note;
}

/** Of so many places, how many are hit at least once by so many throws. */
export function placesHit(places: number, throws: number): number {
  return places * (1 - (1 - 1 / places) ** throws);
}

type Flow = Omit<TopicTraffic, 'diskBytes' | 'openSegmentBytes'>;

export function planTraffic(
  fleet: Fleet,
  constants: Constants,
  { agents, consumers }: { readonly agents: AgentsPlan; readonly consumers: ConsumersPlan },
): readonly TopicTraffic[] {
  const { cameras, framesPerSecond, subscribers, bitstreamBytes } = fleet;
  const frames = cameras * framesPerSecond;
  const partitions = consumers.sites * consumers.partitionsPerSite;
  const perSend = (agents.camerasEach * framesPerSecond) / agents.sendsPerSecondEach;
  const framesPerTransaction = frames / consumers.transactionsPerSecond;
  const settings = topicTable();
  const kept = fleet.retentionHours * 3600;
  const statusSeconds = Number(settings.status.settings['min.compaction.lag.ms']) / 1000;
  const topic = (row: Flow, seconds: number): TopicTraffic => {
    const openSegmentBytes = fleet.replication * segmentBytes(row.bytesInPerSecond, partitions);
    const keptBytes = fleet.replication * row.bytesInPerSecond * seconds;
    return { ...row, diskBytes: keptBytes + openSegmentBytes, openSegmentBytes };
  };
  const batchOf = (records: number) =>
    records / placesHit(consumers.partitionsPerSite, Math.min(records, agents.camerasEach));
  const frameIn = frames * frameBytes(constants, bitstreamBytes, batchOf(perSend));
  const statusIn = cameras * (constants.bytes.status + BATCH_BYTES / batchOf(agents.camerasEach));
  const own = transactionBytes(constants, consumers.camerasPerSite / consumers.partitionsPerSite);
  const results = fleet.heads.map((head) => {
    const bytes = frames * resultBytes(constants, head, framesPerTransaction);
    return { name: head, recordsPerSecond: frames, ...inAndOut(bytes, subscribers) };
  });
  return [
    topic({ name: 'frames', recordsPerSecond: frames, ...inAndOut(frameIn, 1) }, kept),
    topic(
      { name: 'status', recordsPerSecond: cameras, ...inAndOut(statusIn, subscribers) },
      statusSeconds,
    ),
    ...results.map((row) => topic(row, kept)),
    {
      name: "Kafka's own",
      recordsPerSecond: consumers.transactionsPerSecond,
      ...inAndOut(consumers.transactionsPerSecond * own, 0),
      // Compacted as it grows.
      diskBytes: 0,
      openSegmentBytes: 0,
    },
  ];
}

function inAndOut(bytesInPerSecond: number, readers: number) {
  return { bytesInPerSecond, bytesOutPerSecond: readers * bytesInPerSecond };
}

/** One replica of a topic. Kafka deletes whole segments, by their newest record. */
export function segmentBytes(bytesPerSecond: number, partitions: number): number {
  return partitions * Math.min(SEGMENT_BYTES, (bytesPerSecond / partitions) * SEGMENT_SECONDS);
}
