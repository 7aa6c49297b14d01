import { TopicReader } from '#consumers/subscriber/topic-reader.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { aborted } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { type Tracer, traceparentOf } from '#runtime/trace.ts';
import { decodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodePreview } from '#schemas/preview.ts';
import { decodeResult, TASKS } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { readPastStatuses } from './past-statuses.ts';
import { SettledPositions } from './settled-positions.ts';
import type { RecordKind, Telemetry } from './telemetry.ts';
import type { Wall } from './wall.ts';

export interface FeedOptions {
  /** Undefined while nobody has said where Kafka is. */
  readonly openBroker: () => Broker | undefined;
  readonly openFraming: () => Promise<Framing>;
  readonly topics: TopicTable;
  /** Of the inference consumers. */
  readonly groupId: string;
  readonly wall: Wall;
  /** Told when the consumers are judged otherwise than before. */
  readonly onVerdict: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What arrives here has arrived with a person: the end of a frame's trace. */
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
}

interface Session {
  readonly broker: Broker;
  readonly framing: Framing;
}

const MINUTE_MS = 60_000;
/** What waited at the start is as old as the first of these that it is younger than, or more. */
const SEEDS_MS = [
  ...[1_000, 2_000, 5_000, 10_000, 20_000, 30_000],
  ...[1, 2, 5, 10, 20, 30, 60, 120, 360, 720, 1440].map((minutes) => minutes * MINUTE_MS),
];

/**
 * Brings the wall what is on the topics, from now on, and what Kafka says of the inference group:
 *
 *   waiting --Kafka is named, and answers--> reading --anything fails--> waiting
 *
 * Without end: a wall that says what is wrong is of more use than one that is gone.
 */
export class Feed {
  readonly #options: FeedOptions;
  readonly #kinds: ReadonlyMap<string, RecordKind>;
  #session: Session | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { results, status, previews, deadLetters } = options.topics;
    this.#kinds = new Map<string, RecordKind>([
      ...TASKS.map((task) => [results[task].name, task] as const),
      [status.name, 'status'],
      [previews.name, 'preview'],
      [deadLetters.name, 'dead-letter'],
    ]);
  }

  /** Throws `broker-unavailable` while it waits. */
  get session(): Session {
    if (this.#session !== undefined) return this.#session;
    const why = this.#options.wall.trouble ?? 'the connection is being made.';
    throw new HalfsightError('broker-unavailable', `Kafka cannot be read now: ${why}`);
  }

  async run(stopping: AbortSignal): Promise<void> {
    const { clock, wall, logger } = this.#options;
    let told: string | undefined;
    while (!stopping.aborted) {
      try {
        await this.#read(stopping);
        told = undefined;
      } catch (error) {
        const why = describeError(error);
        wall.lose(tellPerson(error), nowMs(clock));
        // Of a Kafka that stays away once is enough.
        if (told !== why) logger.warn('wall-cannot-read', { error: why });
        told = why;
      }
      await clock.sleep(LIMITS.wallRetryMs, stopping);
    }
  }

  async #read(stopping: AbortSignal): Promise<void> {
    const { openBroker, openFraming } = this.#options;
    const broker = openBroker();
    if (broker === undefined) {
      throw new HalfsightError('broker-unavailable', 'no Kafka is there yet.', {
        advice: '`npm start` brings one, after some seconds; KAFKA_BROKERS names another.',
      });
    }
    const over = new AbortController();
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    let reader: TopicReader | undefined;
    try {
      const framing = await openFraming();
      reader = this.#openReader({ broker, framing }, failed.reject);
      await reader.start();
      this.#session = { broker, framing };
      const looks = this.#lookAgainAndAgain(broker, over.signal);
      await Promise.race([looks, this.#readPast(over.signal), failed.promise]);
      await Promise.race([looks, failed.promise, aborted(stopping)]);
    } finally {
      this.#session = undefined;
      over.abort();
      await reader?.stop();
      await broker.close();
    }
  }

  #openReader({ broker, framing }: Session, onFailed: (error: unknown) => void): TopicReader {
    return new TopicReader({
      ...{ broker, topics: [...this.#kinds.keys()], from: 'latest', onFailed },
      onRecord: async (record) => {
        const { wall, clock, telemetry } = this.#options;
        const kind = this.#kinds.get(record.topic);
        if (kind === undefined) return;
        telemetry.count(`records-${kind}`);
        try {
          const value = framedValue(record);
          if (value !== null) await framing.learn(value);
          this.#enter(kind, { ...record, value }, framing);
        } catch (error) {
          // The registry is away, say: that is no fault of the record.
          if (!(error instanceof HalfsightError) || error.canRetry) throw error;
          telemetry.count(`unreadable-${kind}`);
          wall.unreadable(nowMs(clock));
        }
      },
    });
  }

  #enter(kind: RecordKind, incoming: IncomingRecord, framing: Framing): void {
    const { wall, clock, tracer } = this.#options;
    const { value, partition, headers } = incoming;
    const startTimeUs = clock.nowUs();
    const atMs = startTimeUs / 1000;
    if (kind === 'status') {
      wall.status(decodeCameraStatus(value, framing), atMs);
    } else if (kind === 'preview') {
      wall.preview(decodePreview(value, framing), atMs);
    } else if (kind === 'dead-letter') {
      wall.deadLetter(decodeDeadLetter(value, framing).reason, atMs);
    } else {
      const result = decodeResult(kind, value, framing);
      // Clocks of cameras are not exact.
      const ageMs = Math.max(0, Math.round(atMs - result.captureTimeUs / 1000));
      const parent = traceparentOf(headers);
      const span = tracer.start('deliver', {
        ...{ kind: 'consumer', parent, startTimeUs },
        attributes: { 'halfsight.frame.id': frameId(result), 'halfsight.task': kind },
      });
      const arrival = { ageMs, traced: parent !== undefined };
      const record = { value: defined(value, 'the record of a result'), framing };
      wall.result(result, { arrival, record, partition }, atMs);
      span.end();
    }
  }

  /** Cameras are there at once, also those that say nothing now. */
  async #readPast(over: AbortSignal): Promise<void> {
    const { topics, wall, logger } = this.#options;
    const { broker, framing } = this.session;
    const report = await readPastStatuses({
      ...{ broker, framing, topic: topics.status.name, over },
      onStatus: (status) => wall.pastStatus(status),
    });
    logger.info('past-statuses-read', { ...report });
  }

  async #lookAgainAndAgain(broker: Broker, over: AbortSignal): Promise<void> {
    const { topics, groupId, wall, clock, telemetry, onVerdict } = this.#options;
    const topic = topics.frames.name;
    const positions = new SettledPositions(broker, topic);
    for (let looks = 0; !over.aborted; looks++) {
      const startMs = clock.monotonicMs();
      try {
        const [ends, committed, members] = await Promise.all([
          broker.offsets(topic),
          broker.committedOffsets(groupId, topic),
          broker.groupMembers(groupId),
        ]);
        const look = { ends, committed, members: new Set(members) };
        const isNews = wall.look(await positions.settle(look), nowMs(clock));
        if (looks === 0) await this.#seed(broker);
        if (isNews) onVerdict();
      } catch (error) {
        if (!(error instanceof HalfsightError) || !error.canRetry) throw error;
        telemetry.count('looks-failed');
        if (!over.aborted) wall.lose(tellPerson(error), nowMs(clock));
      }
      const tookMs = clock.monotonicMs() - startMs;
      await clock.sleep(Math.max(0, LIMITS.wallTellIntervalMs - tookMs), over);
    }
  }

  /** How old what waits is that came before the first look, as far as that is old. */
  async #seed(broker: Broker): Promise<void> {
    const { topics, wall, clock } = this.#options;
    const startMs = Math.floor(nowMs(clock));
    for (const agoMs of SEEDS_MS) {
      const offsets = await broker.offsetsAt(topics.frames.name, startMs - agoMs);
      if (!wall.seedLag(offsets, startMs - agoMs)) return;
    }
  }
}

/** A sentence or two; an error that is none of ours is told as what it is. */
function tellPerson(error: unknown): string {
  if (!(error instanceof HalfsightError)) return describeError(error);
  const { message, advice = '' } = error;
  return `${message.charAt(0).toUpperCase()}${message.slice(1)} ${advice}`.trim();
}

function nowMs(clock: Clock): number {
  return clock.nowUs() / 1000;
}
