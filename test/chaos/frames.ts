import type { Broker, OutgoingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';

const ROUND_MS = 50;

export interface FrameWriter {
  readonly cameraIds: readonly string[];
  /** Frames that the broker has acknowledged. */
  readonly written: number;
  /** The sequence of the next frame of each camera: all have the same. */
  readonly nextSequence: number;
  /** Resolves when all are written; rejects when the broker refuses them. */
  readonly done: Promise<void>;
}

export interface FrameWriterOptions {
  readonly broker: Broker;
  readonly topic: string;
  readonly frameCount: number;
  readonly cameraCount: number;
  readonly framesPerSecond: number;
}

/**
 * Writes frames of all cameras in turn at a steady rate, each round of `ROUND_MS` what is due. A
 * broker that is away delays them; what was missed meanwhile is not made up for.
 */
export async function writeFrames(options: FrameWriterOptions): Promise<FrameWriter> {
  const { broker, topic, frameCount, cameraCount, framesPerSecond } = options;
  const tiny = await tinyFrames();
  const cameraIds = Array.from({ length: cameraCount }, (_, index) => `camera-${index}`);
  const producer = await broker.openProducer();
  let written = 0;
  let nextSequence = 0;
  const roundMs = Math.max(ROUND_MS, (cameraCount / framesPerSecond) * 1000);
  const rowsARound = Math.max(1, Math.round((framesPerSecond * roundMs) / 1000 / cameraCount));
  const write = async () => {
    let dueMs = systemClock.monotonicMs();
    while (written < frameCount) {
      const records: OutgoingRecord[] = [];
      for (let row = 0; row < rowsARound; row++) {
        const sequence = nextSequence++;
        for (const cameraId of cameraIds.slice(0, frameCount - written - records.length)) {
          const frame = tiny.frame(sequence, { cameraId }, 64 + (sequence % 16) * 8);
          const headers = { 'frame-id': frameId(frame) };
          const value = tiny.record(sequence, { cameraId }, 64 + (sequence % 16) * 8);
          records.push({ topic, key: cameraId, value, headers });
        }
      }
      await sendUntilWritten(() => producer.send(records));
      written += records.length;
      dueMs += roundMs;
      const waitMs = dueMs - systemClock.monotonicMs();
      if (waitMs > 0) await systemClock.sleep(waitMs);
      else dueMs -= waitMs;
    }
    await producer.close();
  };
  const done = write();
  return {
    cameraIds,
    get written() {
      return written;
    },
    get nextSequence() {
      return nextSequence;
    },
    done,
  };
}

/** As the camera agent does: the very same records again, until the broker has them. */
async function sendUntilWritten(send: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await send();
    } catch {
      await systemClock.sleep(100);
    }
  }
}
