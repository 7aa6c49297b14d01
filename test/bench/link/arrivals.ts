import { defined } from '#runtime/assert.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { decodeFrame } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { RecordWatch } from '../instruments/record-watch.ts';

/** Something about one picture that has come to the reader. Microseconds since the Unix epoch. */
export interface Arrival {
  readonly captureUs: number;
  readonly receivedUs: number;
  /** Of the record's value. */
  readonly valueBytes: number;
}

export interface ArrivalsOptions {
  readonly broker: Broker;
  readonly framing: Framing;
  /** All of whose frames are read. */
  readonly tables: readonly TopicTable[];
  /** Whose results are read as well, of the head that ends last. */
  readonly analysed: TopicTable;
  readonly task: Task;
}

/** A read-committed reader of the frames of all contenders, and of the results of one. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #watch: RecordWatch;
  #byTopic = new Map<string, Arrival[]>();
  readonly #newest = new Map<string, Arrival>();
  #sinceUs = 0;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    const { broker, tables, analysed, task } = options;
    this.#watch = new RecordWatch({
      broker,
      groupId: 'link-reader',
      topics: [...tables.map(({ frames }) => frames.name), analysed.results[task].name],
      onRecord: (record, receivedUs) => this.#take(record, receivedUs),
    });
  }

  start(): Promise<void> {
    return this.#watch.start();
  }

  /** Forgets, and leaves out what was captured before now: an earlier camera's, coming late. */
  begin(): void {
    this.forget();
    this.#sinceUs = systemClock.nowUs();
  }

  forget(): void {
    this.#byTopic = new Map();
  }

  /** Since `begin` or `forget`. */
  frames({ frames }: TopicTable): readonly Arrival[] {
    return this.#byTopic.get(frames.name) ?? [];
  }

  results(): readonly Arrival[] {
    const { analysed, task } = this.#options;
    return this.#byTopic.get(analysed.results[task].name) ?? [];
  }

  /** How old the newest picture is that has come of these frames, now. */
  newestAgeMs({ frames }: TopicTable): number {
    const { captureUs } = defined(this.#newest.get(frames.name), 'a frame');
    return (systemClock.nowUs() - captureUs) / 1000;
  }

  #take({ topic, value }: IncomingRecord, receivedUs: number): void {
    const { framing, analysed, task } = this.#options;
    const isResult = topic === analysed.results[task].name;
    const { captureTimeUs } = isResult
      ? decodeResult(task, value, framing)
      : decodeFrame(value, framing);
    if (captureTimeUs < this.#sinceUs) return;
    const arrival = { captureUs: captureTimeUs, receivedUs, valueBytes: value?.length ?? 0 };
    const arrivals = this.#byTopic.get(topic);
    if (arrivals === undefined) this.#byTopic.set(topic, [arrival]);
    else arrivals.push(arrival);
    this.#newest.set(topic, arrival);
  }
}
