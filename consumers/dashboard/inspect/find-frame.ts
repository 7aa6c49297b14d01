import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type FrameIdentity, frameId, parseFrameId } from '#schemas/frame.ts';
import { redrivesOf } from '#schemas/redriven-from.ts';
import type { MissingFrame } from './inspection.ts';

export interface FindOptions {
  readonly broker: Broker;
  /** Of the frames. */
  readonly topic: string;
  readonly clock: Clock;
}

/**
 * The record of a frame, by the frame id in its headers. Its camera's id names the partition; there
 * the frames of a camera stand in the order of epoch and sequence, so any of them says on which
 * side of it the wanted one is. First it looks where the frame should be by its capture time, if
 * that is known; then it halves what is left, which needs no clock at all: frames may have waited
 * on their agent's disk for hours. Bounded by `LIMITS.inspectBytesMax` and `inspectTimeoutMs`.
 */
export async function findFrame(
  wanted: FrameIdentity,
  captureTimeUs: number | undefined,
  { broker, topic, clock }: FindOptions,
): Promise<IncomingRecord | MissingFrame> {
  const partition = partitionOf(wanted.cameraId, await broker.partitionCount(topic));
  const ends = (await broker.offsets(topic)).find((one) => one.partition === partition);
  const { low = 0, high = 0 } = ends ?? {};
  const search = new Search(
    wanted,
    { from: low, to: high },
    (offset) => broker.fetch({ topic, partition, offset, bytesMax: LIMITS.inspectFetchBytes }),
    clock,
  );
  if (captureTimeUs !== undefined) {
    const timeMs = Math.floor(captureTimeUs / 1000) - LIMITS.inspectClockSkewMs;
    await search.lookNear((await broker.offsetsAt(topic, timeMs)).get(partition) ?? low);
  }
  while (search.isOpen) await search.halve();
  await search.lookAround();
  return search.found ?? search.missing();
}

type Fetch = (offset: number) => ReturnType<Broker['fetch']>;

/** Offsets: where the frame must be, if it is there, is from `from` on and before `to`. */
interface Range {
  readonly from: number;
  readonly to: number;
}

class Search {
  found: IncomingRecord | undefined;
  readonly #wanted: FrameIdentity;
  readonly #whole: Range;
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  #range: Range;
  /** The nearest frames of the camera that were met on either side of the wanted one. */
  #before: FrameIdentity | undefined;
  #after: FrameIdentity | undefined;
  #recordsRead = 0;
  #bytesRead = 0;

  constructor(wanted: FrameIdentity, whole: Range, fetch: Fetch, clock: Clock) {
    this.#wanted = wanted;
    this.#whole = whole;
    this.#range = whole;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#deadlineMs = clock.monotonicMs() + LIMITS.inspectTimeoutMs;
  }

  get isOpen(): boolean {
    return this.found === undefined && !this.#isSpent && this.#range.from < this.#range.to;
  }

  get #isSpent(): boolean {
    return (
      this.#bytesRead >= LIMITS.inspectBytesMax || this.#clock.monotonicMs() >= this.#deadlineMs
    );
  }

  /** Frames of its own epoch are on both sides, so that it would have to be between them. */
  get #isSure(): boolean {
    const { epoch } = this.#wanted;
    return this.#before?.epoch === epoch && this.#after?.epoch === epoch;
  }

  async lookNear(offset: number): Promise<void> {
    await this.#look(offset, (bytes) => bytes >= LIMITS.inspectNearBytes);
  }

  /** The last few records are read in one go. */
  async halve(): Promise<void> {
    const { from, to } = this.#range;
    const isFew = to - from <= this.#recordsOf(LIMITS.inspectFetchBytes);
    await this.#look(isFew ? from : Math.floor((from + to) / 2), (_, isTold) => isTold);
  }

  /**
   * Frames of an epoch that is over may come from a disk behind the first ones of the next, so the
   * place that those of other epochs point to is not sure: it looks behind it, then before it.
   */
  async lookAround(): Promise<void> {
    const { from } = this.#range;
    const before = from - this.#recordsOf(LIMITS.inspectNearBytes);
    for (const range of [
      { from, to: this.#whole.to },
      { from: Math.max(before, this.#whole.from), to: from },
    ]) {
      if (this.found !== undefined || this.#isSpent || this.#isSure) return;
      this.#range = range;
      await this.#look(range.from, (bytes) => bytes >= 2 * LIMITS.inspectNearBytes, false);
    }
  }

  missing(): MissingFrame {
    const isDeleted = this.#before === undefined && this.#whole.from > 0;
    const reason = this.#isSpent ? 'gave-up' : isDeleted ? 'deleted' : 'not-found';
    return {
      found: false,
      frameId: frameId(this.#wanted),
      reason,
      detail: this.#detail(reason),
      recordsRead: this.#recordsRead,
      bytesRead: this.#bytesRead,
    };
  }

  /**
   * Reads on from `start` until it is found, or a later frame of its camera was met, or it is
   * enough: by the bytes read, and whether frames of its camera have told anything. Narrows the
   * range by what was seen, unless the order is in doubt.
   */
  async #look(
    start: number,
    isEnough: (bytes: number, isTold: boolean) => boolean,
    isOrdered = true,
  ): Promise<void> {
    const bytesBefore = this.#bytesRead;
    let [offset, isBefore, isAfter] = [start, false, false];
    while (offset < this.#range.to && !this.#isSpent) {
      const { records, nextOffset } = await this.#fetch(offset);
      for (const record of records) {
        this.#recordsRead++;
        this.#bytesRead += record.value?.length ?? 0;
        const side = record.offset < this.#range.to ? this.#sideOf(record) : undefined;
        if (side === 'here') {
          this.found = record;
          return;
        }
        isBefore ||= side === 'before';
        isAfter ||= side === 'after';
      }
      // Nothing more is committed so far: as good as the end.
      offset = nextOffset === offset ? this.#range.to : nextOffset;
      if (isAfter && isOrdered) break;
      if (isEnough(this.#bytesRead - bytesBefore, isBefore)) break;
    }
    const { from, to } = this.#range;
    const isRead = isBefore || isAfter || offset >= to;
    if (!isOrdered || !isRead || this.#isSpent) return;
    this.#range = {
      from: isBefore ? offset : from,
      to: isBefore && !isAfter ? to : Math.min(start, to),
    };
  }

  /** On which side of the wanted frame a record is; undefined where it says nothing about that. */
  #sideOf({ headers }: IncomingRecord): 'here' | 'before' | 'after' | undefined {
    const header = headers['frame-id'];
    const frame = header && parseFrameId(Buffer.from(header).toString('utf8'));
    if (frame === undefined || frame.cameraId !== this.#wanted.cameraId) return undefined;
    const order = compare(frame, this.#wanted);
    if (order === 0) return 'here';
    // It was put back from the dead letters, behind later ones.
    if (redrivesOf(headers) > 0) return undefined;
    if (order < 0) {
      if (this.#before === undefined || compare(frame, this.#before) > 0) this.#before = frame;
      return 'before';
    }
    if (this.#after === undefined || compare(frame, this.#after) < 0) this.#after = frame;
    return 'after';
  }

  /** How many records have so many bytes, going by those read so far. */
  #recordsOf(bytes: number): number {
    return this.#recordsRead === 0 ? 0 : Math.floor((bytes * this.#recordsRead) / this.#bytesRead);
  }

  #detail(reason: MissingFrame['reason']): string {
    const { cameraId } = this.#wanted;
    const [before, after] = [this.#before, this.#after].map((frame) => frame && frameId(frame));
    if (reason === 'gave-up') {
      return `it was not found in ${this.#recordsRead} records, and there are more to look at.`;
    }
    if (reason === 'deleted') {
      const oldest = after === undefined ? 'no frame' : `no frame before ${after}`;
      return `Kafka has ${oldest} of camera ${cameraId} any more: the topic's retention is over.`;
    }
    if (before === undefined && after === undefined) {
      return `there is no frame of camera ${cameraId} on the topic.`;
    }
    if (before === undefined) return `the first frame of camera ${cameraId} is ${after}.`;
    if (after === undefined) return `the newest frame of camera ${cameraId} is ${before} so far.`;
    const why = this.#isSure ? ': its agent dropped it, and counted it' : '';
    return `between ${before} and ${after} there is none${why}.`;
  }
}

function compare(one: FrameIdentity, other: FrameIdentity): number {
  return one.epoch - other.epoch || one.sequence - other.sequence;
}
