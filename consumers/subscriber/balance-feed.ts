import type { IncomingRecord } from '#runtime/broker.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { type CameraStatus, decodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { decodeFrame, type FrameRecord, parseFrameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { redrivesOf } from '#schemas/redriven-from.ts';
import { decodeResult, type Result, TASKS } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { Balance } from './balance.ts';

/** A record of one of our topics, decoded. `unreadable`: it is no frame, result and so on. */
export type TopicEvent =
  | { readonly kind: 'frame'; readonly frame: FrameRecord; readonly bytes: number }
  | { readonly kind: 'status'; readonly status: CameraStatus }
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly cameraId: string | null }
  | { readonly kind: 'unreadable'; readonly error: unknown };

/** All topics that a balance has to read; each record says itself how often it was redriven. */
export function balanceTopics(topics: TopicTable): string[] {
  const results = TASKS.map((task) => topics.results[task].name);
  return [topics.frames.name, topics.status.name, ...results, topics.deadLetters.name];
}

/** Enters records into a balance, and hands back what they said to whoever wants to show it. */
export class BalanceFeed {
  readonly #balance: Balance;
  readonly #topics: TopicTable;
  readonly #framing: Framing;

  constructor(balance: Balance, topics: TopicTable, framing: Framing) {
    this.#balance = balance;
    this.#topics = topics;
    this.#framing = framing;
  }

  async enter(record: IncomingRecord): Promise<TopicEvent> {
    try {
      const value = framedValue(record);
      if (value !== null) await this.#framing.learn(value);
      return this.#enter({ ...record, value });
    } catch (error) {
      // The registry is away, say: that is no fault of the record.
      if (!(error instanceof HalfsightError) || error.canRetry) throw error;
      if (record.topic === this.#topics.frames.name) this.#unreadableFrame(record);
      else this.#balance.undecodable();
      return { kind: 'unreadable', error };
    }
  }

  #enter(record: IncomingRecord): TopicEvent {
    const { frames, status, deadLetters, results } = this.#topics;
    const { topic, value } = record;
    if (topic === frames.name) {
      const frame = decodeFrame(value, this.#framing);
      const redrives = redrivesOf(record.headers);
      if (redrives > 0) this.#balance.redrivenFrame(frame, redrives);
      else this.#balance.frame(frame, frame.dropped);
      return { kind: 'frame', frame, bytes: value?.length ?? 0 };
    }
    if (topic === status.name) return this.#status(value);
    if (topic === deadLetters.name) return this.#deadLetter(value);
    const task = TASKS.find((candidate) => results[candidate].name === topic);
    if (task === undefined) throw new Error(`nobody asked for topic ${topic}`);
    const result = decodeResult(task, value, this.#framing);
    this.#balance.result(task, result, result.redrives);
    if (result.status === 'shed') this.#balance.shed(task, result);
    if (result.status === 'unwanted') this.#balance.unwanted(task, result);
    return { kind: 'result', result };
  }

  #status(value: Uint8Array | null): TopicEvent {
    const status = decodeCameraStatus(value, this.#framing);
    this.#balance.status(status);
    return { kind: 'status', status };
  }

  #deadLetter(value: Uint8Array | null): TopicEvent {
    const letter = decodeDeadLetter(value, this.#framing);
    if (letter.originTopic === this.#topics.frames.name) {
      const identity = letter.frameId === null ? undefined : parseFrameId(letter.frameId);
      this.#balance.deadLetter(identity, letter, letter.redrives);
    }
    return { kind: 'dead-letter', reason: letter.reason, cameraId: letter.cameraId };
  }

  /** Consumers name such a frame by its header as well, so its dead letter will be found. */
  #unreadableFrame(record: IncomingRecord): void {
    const header = record.headers['frame-id'];
    const identity = header && parseFrameId(Buffer.from(header).toString('utf8'));
    const redrives = redrivesOf(record.headers);
    if (identity && redrives > 0) this.#balance.redrivenFrame(identity, redrives);
    else if (identity) this.#balance.frame(identity);
    else this.#balance.unnamedFrame(record.partition, record.offset);
  }
}
