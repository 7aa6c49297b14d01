import type { Broker, Consumer } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { decodeResult, TASKS } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { quantile } from '#test/bench/instruments/statistics.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';

export interface Ages {
  readonly results: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
}

export const LIVE_CAMERAS: readonly string[] = ['live-1', 'live-2', 'live-3', 'live-4'];
/** What is committed last tells when a frame is done. */
const LAST_TASK = TASKS[TASKS.length - 1] ?? 'segmentation';

/** Frames that are captured now, one camera after the other, and how old their results are. */
export class LiveTraffic {
  readonly #broker: Broker;
  readonly #topics: TopicTable;
  readonly #tiny: TinyFrames;
  readonly #stopping = new AbortController();
  readonly #written: FrameIdentity[] = [];
  readonly #seen = new Map<string, number>();
  #agesMs: number[] = [];
  #consumer: Consumer | undefined;
  #writing: Promise<void> | undefined;

  constructor(broker: Broker, topics: TopicTable, tiny: TinyFrames) {
    this.#broker = broker;
    this.#topics = topics;
    this.#tiny = tiny;
  }

  async start(framesPerSecond: number): Promise<void> {
    const framing = singleObjectFraming();
    this.#consumer = this.#broker.openConsumer({
      groupId: `${this.#topics.frames.name}-live`,
      topics: [this.#topics.results[LAST_TASK].name],
      from: 'latest',
      readCommitted: true,
      commit: 'none',
    });
    await this.#consumer.start({
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onRecords: (records) => {
        for (const { value } of records) {
          const result = decodeResult(LAST_TASK, value, framing);
          if (!LIVE_CAMERAS.includes(result.cameraId)) continue;
          const id = frameId(result);
          this.#seen.set(id, (this.#seen.get(id) ?? 0) + 1);
          this.#agesMs.push((systemClock.nowUs() - result.captureTimeUs) / 1000);
        }
      },
      onFailed: (error) => {
        throw error;
      },
    });
    this.#writing = this.#write(framesPerSecond);
  }

  /** Of the results that arrived since the last call. */
  cut(): Ages {
    const ages = this.#agesMs;
    this.#agesMs = [];
    return { results: ages.length, p50Ms: quantile(ages, 0.5), p95Ms: quantile(ages, 0.95) };
  }

  /** Stops the cameras. Resolves with frames that have no result, or several. */
  async stop(): Promise<string[]> {
    this.#stopping.abort();
    await this.#writing;
    const ids = this.#written.map(frameId);
    const endMs = systemClock.monotonicMs() + PATIENCE_MS;
    while (this.#seen.size < ids.length && systemClock.monotonicMs() < endMs) {
      await systemClock.sleep(100);
    }
    await this.#consumer?.stop();
    this.#consumer = undefined;
    return ids.filter((id) => this.#seen.get(id) !== 1);
  }

  async #write(framesPerSecond: number): Promise<void> {
    const producer = await this.#broker.openProducer();
    const startMs = systemClock.monotonicMs();
    const sends: Promise<void>[] = [];
    for (let index = 0; !this.#stopping.signal.aborted; index++) {
      const cameraId = LIVE_CAMERAS[index % LIVE_CAMERAS.length] ?? '';
      const sequence = Math.floor(index / LIVE_CAMERAS.length);
      const captureTimeUs = systemClock.nowUs();
      const frame = this.#tiny.frame(sequence, { cameraId, captureTimeUs });
      const value = this.#tiny.record(sequence, frame);
      const topic = this.#topics.frames.name;
      const headers = { 'frame-id': frameId(frame) };
      sends.push(producer.send([{ topic, key: cameraId, value, headers }]));
      this.#written.push(frame);
      const dueMs = startMs + ((index + 1) * 1000) / framesPerSecond;
      await systemClock.sleep(Math.max(0, dueMs - systemClock.monotonicMs()));
    }
    await Promise.all(sends);
    await producer.close();
  }
}

const PATIENCE_MS = 60_000;
