import type { Broker, Producer } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { frameId } from '#schemas/frame.ts';
import type { FrameMaker } from './frame-maker.ts';

/** Cameras of which each partition has the same number: else the hash of names is measured. */
export function evenCameras(partitionCount: number, perPartition: number): string[] {
  const wanted = partitionCount * perPartition;
  const counts = new Array<number>(partitionCount).fill(0);
  const cameras: string[] = [];
  for (let index = 0; cameras.length < wanted; index++) {
    const camera = `camera-${index}`;
    const partition = partitionOf(camera, partitionCount);
    const count = counts[partition] as number;
    if (count === perPartition) continue;
    counts[partition] = count + 1;
    cameras.push(camera);
  }
  return cameras;
}

/** Far below the limit of a request, far above what a request costs. */
const RECORDS_PER_SEND = 200;
const EPOCH = 1_700_000_000_000;

type Headers = Readonly<Record<string, string>>;

export interface FrameWriterOptions {
  readonly topic: string;
  readonly cameras: readonly string[];
  readonly frames: FrameMaker;
  /** Beside the frame's id. */
  readonly headers?: Headers | ((written: number) => Headers);
  /** At once, when it writes as fast as it can; those of one partition must fit in a message. */
  readonly recordsPerSend?: number;
}

/** The load generator of a topic: frames of all cameras in turn. */
export class FrameWriter {
  /** When a frame was sent, by its id; monotonic. */
  readonly sentMs = new Map<string, number>();
  readonly #producer: Producer;
  readonly #options: FrameWriterOptions;
  #written = 0;

  private constructor(producer: Producer, options: FrameWriterOptions) {
    this.#producer = producer;
    this.#options = options;
  }

  static async open(broker: Broker, options: FrameWriterOptions): Promise<FrameWriter> {
    return new FrameWriter(await broker.openProducer(), options);
  }

  /** As fast as the broker takes them; how many a second that was. */
  async write(count: number): Promise<number> {
    const startMs = systemClock.monotonicMs();
    const { recordsPerSend = RECORDS_PER_SEND } = this.#options;
    for (let left = count; left > 0; left -= recordsPerSend) {
      const size = Math.min(recordsPerSend, left);
      await this.#producer.send(Array.from({ length: size }, () => this.#next()));
    }
    return (count / (systemClock.monotonicMs() - startMs)) * 1000;
  }

  /**
   * A frame of every camera at a time, so often that `framesPerSecond` are sent; how late the
   * latest was. A generator that is late by more than a few milliseconds is what is measured.
   */
  async pace(
    framesPerSecond: number,
    seconds: number,
  ): Promise<{ frames: number; lateMs: number }> {
    const { cameras } = this.#options;
    const periodMs = (cameras.length / framesPerSecond) * 1000;
    const rounds = Math.round((seconds * 1000) / periodMs);
    const startMs = systemClock.monotonicMs();
    let lateMs = 0;
    for (let round = 0; round < rounds; round++) {
      const dueMs = startMs + round * periodMs;
      await systemClock.sleep(Math.max(0, dueMs - systemClock.monotonicMs()));
      lateMs = Math.max(lateMs, systemClock.monotonicMs() - dueMs);
      await this.#producer.send(cameras.map(() => this.#next()));
    }
    return { frames: rounds * cameras.length, lateMs };
  }

  #next() {
    const { topic, cameras, frames, headers } = this.#options;
    const cameraId = cameras[this.#written % cameras.length] as string;
    const identity = {
      cameraId,
      epoch: EPOCH,
      sequence: Math.floor(this.#written / cameras.length),
    };
    const more = typeof headers === 'function' ? headers(this.#written) : headers;
    this.#written++;
    const id = frameId(identity);
    const value = frames.record(identity, systemClock.nowUs());
    this.sentMs.set(id, systemClock.monotonicMs());
    return { topic, key: cameraId, value, headers: { 'frame-id': id, ...more } };
  }
}
