import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { parseFrameId } from '#schemas/frame.ts';

interface Fault {
  readonly name: string;
  readonly startMs: number;
  /** Recovered: a result of this sequence or a later one has come of every camera. */
  readonly sequence: number;
  recoveredMs: number | undefined;
}

export interface RecoveryTimes {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}

/**
 * Watches one result topic as a subscriber does, and how long after each fault a frame that was
 * captured later has its result, for every camera.
 */
export class RecoveryWatch {
  readonly #newest = new Map<string, number>();
  readonly #faults: Fault[] = [];
  #results = 0;

  constructor(cameraIds: readonly string[]) {
    for (const cameraId of cameraIds) this.#newest.set(cameraId, -1);
  }

  /** How many results have come; more than were written if the reader had to start over. */
  get results(): number {
    return this.#results;
  }

  /** The sequence below which every camera has all of its results. */
  get answered(): number {
    return Math.min(...this.#newest.values());
  }

  async start(broker: Broker, topic: string, groupId: string): Promise<void> {
    const consumer = broker.openConsumer({
      groupId,
      topics: [topic],
      from: 'earliest',
      readCommitted: true,
      commit: 'after-records',
    });
    await consumer.start({
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onRecords: (records) => {
        for (const { headers } of records) this.#see(Buffer.from(headers['frame-id'] ?? ''));
      },
      onFailed: (error) => {
        throw error;
      },
    });
  }

  /** Frames from `sequence` on are captured after the fault. */
  fault(name: string, sequence: number): void {
    const startMs = systemClock.monotonicMs();
    this.#faults.push({ name, startMs, sequence, recoveredMs: undefined });
  }

  /** Those named so, of which there is at least one; undefined while none has recovered. */
  times(name: string): RecoveryTimes | undefined {
    const times = this.#faults
      .flatMap((fault) => {
        const { recoveredMs } = fault;
        return fault.name === name && recoveredMs !== undefined
          ? [recoveredMs - fault.startMs]
          : [];
      })
      .sort((a, b) => a - b);
    if (times.length === 0) return undefined;
    const at = (share: number) =>
      Math.round(times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0);
    return { count: times.length, p50Ms: at(0.5), p95Ms: at(0.95), maxMs: at(1) };
  }

  #see(header: Buffer): void {
    const identity = parseFrameId(header.toString());
    if (identity === undefined) return;
    const { cameraId, sequence } = identity;
    this.#results++;
    this.#newest.set(cameraId, Math.max(sequence, this.#newest.get(cameraId) ?? -1));
    const answered = this.answered;
    for (const fault of this.#faults) {
      if (fault.recoveredMs !== undefined || answered < fault.sequence) continue;
      fault.recoveredMs = systemClock.monotonicMs();
    }
  }
}
