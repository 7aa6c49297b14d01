import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { RecordWatch } from '../instruments/record-watch.ts';
import type { FrameTimes } from './stage-ages.ts';

/**
 * A read-committed subscriber to the results of one head that also watches the frames' own topic,
 * so that the time on the way to the broker is told from the time behind it.
 */
export class FrameWatch {
  readonly #watch: RecordWatch;
  readonly #topics: TopicTable;
  readonly #framing: Framing;
  readonly #task: Task;
  /** By frame id. */
  readonly #writtenUs = new Map<string, number>();
  #results: { readonly id: string; readonly times: Omit<FrameTimes, 'writtenUs'> }[] = [];

  constructor(broker: Broker, topics: TopicTable, framing: Framing, task: Task) {
    this.#topics = topics;
    this.#framing = framing;
    this.#task = task;
    this.#watch = new RecordWatch({
      broker,
      groupId: `${topics.frames.name}-watch`,
      topics: [topics.frames.name, topics.results[task].name],
      onRecord: (record, receivedUs) => this.#take(record, receivedUs),
    });
  }

  start(): Promise<void> {
    return this.#watch.start();
  }

  /** Results so far, since `forget`. */
  get count(): number {
    return this.#results.length;
  }

  /** How old the newest result was when it came; undefined before the first. */
  get newestAgeMs(): number | undefined {
    const newest = this.#results.at(-1)?.times;
    return newest && (newest.receivedUs - newest.captureUs) / 1000;
  }

  forget(): void {
    this.#results = [];
  }

  /** Of the results whose frame was seen: all but those under way when it started. */
  times(): FrameTimes[] {
    return this.#results.flatMap(({ id, times }) => {
      const writtenUs = this.#writtenUs.get(id);
      return writtenUs === undefined ? [] : [{ ...times, writtenUs }];
    });
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  #take(record: IncomingRecord, receivedUs: number): void {
    const id = Buffer.from(record.headers['frame-id'] ?? []).toString();
    const recordUs = record.timestampMs * 1000;
    if (record.topic === this.#topics.frames.name) {
      this.#writtenUs.set(id, recordUs);
      return;
    }
    const result = decodeResult(this.#task, record.value, this.#framing);
    const times = {
      captureUs: result.captureTimeUs,
      encodedUs: result.encodeTimeUs,
      inferredUs: result.inferTimeUs,
      publishedUs: recordUs,
      receivedUs,
    };
    this.#results.push({ id, times });
  }
}
