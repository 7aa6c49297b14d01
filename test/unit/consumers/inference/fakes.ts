import { FrameMemory } from '#consumers/inference/dedupe.ts';
import { Delivery, type Outcome } from '#consumers/inference/delivery.ts';
import { Lane, type LaneOptions } from '#consumers/inference/lane.ts';
import type { ParsedFrame } from '#consumers/inference/parsed-frame.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import type { IncomingRecord, OutgoingRecord, Transactor } from '#runtime/broker.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { settle } from '#test/fixtures/manual-clock.ts';

export const FRAME_TOPIC = 'test.camera.frame.v1';

export function record(offset: number, changes: Partial<IncomingRecord> = {}): IncomingRecord {
  return {
    topic: FRAME_TOPIC,
    partition: 0,
    offset,
    key: 'cam-1',
    value: new Uint8Array(10),
    headers: {},
    timestampMs: 1_700_000_000_000,
    ...changes,
  };
}

export function records(from: number, count: number, partition = 0): IncomingRecord[] {
  return Array.from({ length: count }, (_, index) => record(from + index, { partition }));
}

/** As fetch makes it; not yet open. */
export function newLane(changes: Partial<LaneOptions> = {}): Lane {
  return new Lane({
    partition: 0,
    generation: 1,
    memory: new FrameMemory(),
    telemetry: new Telemetry(),
    nowUs: () => 0,
    onChange: () => undefined,
    ...changes,
  });
}

/** An outcome that writes one record of `bytes` to each topic. */
export function outcome(text: string, bytes = 1, topics: readonly string[] = ['out']): Outcome {
  return {
    kind: 'results',
    records: topics.map((topic) => ({
      topic,
      key: text,
      value: new Uint8Array(bytes),
      headers: {},
    })),
    counters: [],
  };
}

export function parsedFrame(
  options: { sequence?: number; mark?: number; delivery?: Delivery; heads?: readonly Task[] } = {},
): ParsedFrame {
  const { sequence = 0, mark = 0, heads = TASKS } = options;
  return {
    delivery: options.delivery ?? new Delivery(record(sequence), 0, () => undefined),
    frame: {
      cameraId: 'cam-1',
      epoch: 1_700_000_000_000,
      sequence,
      captureTimeUs: 1,
      timeSource: 'synthetic',
      encodeTimeUs: 2,
      encodeDurationUs: 1,
      sourceWidth: 640,
      sourceHeight: 480,
      inputWidth: 416,
      inputHeight: 416,
      content: { x: 0, y: 52, width: 416, height: 312 },
      bundleName: 'test',
      bundleVersion: '1',
      bundleDigest: new Uint8Array(32),
      ratePoint: 0,
      dropped: {},
      heads,
      bitstream: Uint8Array.of(mark),
    },
    heads,
    tableHash: '0'.repeat(16),
    parsedTimeUs: 3,
    traceparent: undefined,
  };
}

interface Call<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** A transactor whose every answer the test gives. */
export class FakeTransactor implements Transactor {
  note: string | undefined;
  isClosed = false;
  readonly acquires: Call<number | undefined>[] = [];
  readonly commits: (Call<void> & {
    readonly keys: string[];
    readonly nextOffset: number;
    readonly note: string | undefined;
  })[] = [];

  acquire(): Promise<number | undefined> {
    return new Promise((resolve, reject) => this.acquires.push({ resolve, reject }));
  }

  commit(out: readonly OutgoingRecord[], nextOffset: number, note?: string): Promise<void> {
    const keys = out.map(({ key }) => key);
    return new Promise((resolve, reject) =>
      this.commits.push({ keys, nextOffset, note, resolve, reject }),
    );
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}

/** Lets everything that is ready to run do so, however many steps it takes. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 5; round++) await settle();
}
