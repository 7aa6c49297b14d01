import { defined } from '#runtime/assert.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type Logger, silentLogger } from '#runtime/log.ts';
import { noTracer, type Tracer, traceparentOf } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type ResultOf, TASKS, type Task } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { TopicReader } from './topic-reader.ts';

/** What the handler learns besides the result. */
export interface Delivery {
  /** camera-epoch-sequence: with the task, the key under which a handler is idempotent. */
  readonly frameId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** 1, or more when the handler failed before. */
  readonly attempt: number;
  readonly receivedTimeUs: number;
  /** For spans of the handler's own; undefined when the frame is not sampled. */
  readonly traceparent: string | undefined;
}

export type ResultHandler<T extends Task> = (
  result: ResultOf<T>,
  delivery: Delivery,
) => void | Promise<void>;

export interface SubscribeOptions<T extends Task> {
  readonly broker: Broker;
  readonly framing: Framing;
  readonly topics: TopicTable;
  readonly tasks: readonly T[];
  /** Default: all cameras. */
  readonly cameras?: readonly string[] | undefined;
  /**
   * Members of a group share the cameras among them, and the group remembers its position. Without
   * one, this subscription sees everything and starts afresh each time.
   */
  readonly groupId?: string | undefined;
  /** Where to start when the group has no position. Default: with results that come from now on. */
  readonly from?: 'earliest' | 'latest' | undefined;
  readonly tracer?: Tracer | undefined;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
  /** Told of each record that is no result; the default is a warning in the log. */
  readonly onUndecodable?: (record: IncomingRecord, error: unknown) => void;
}

export interface SubscriptionReport {
  readonly delivered: number;
  readonly retried: number;
  readonly undecodable: number;
  /** Results of cameras that were not asked for. */
  readonly skipped: number;
}

export interface Subscription {
  /**
   * Resolves after `stop`. Rejects when the subscription cannot go on: with `handler-failed`, or
   * with the broker's error.
   */
  readonly ended: Promise<void>;
  report(): SubscriptionReport;
  /** Waits for handlers that are running, then leaves the group. */
  stop(): Promise<void>;
}

/**
 * Calls `handler` with each result of the tasks, typed by task.
 *
 * - Only committed results are seen: each (frame, task) is on its topic once, whatever crashed.
 * - With a `groupId` the position is committed after the handler has resolved. If this process dies
 *   in between, the result comes again: delivery to the handler is at least once. A handler that
 *   keeps (`frameId`, `task`) with what it writes makes that exactly once.
 * - Results of one camera come in capture order, one at a time; cameras may run side by side. Those
 *   of a frame that was redriven from the dead letters come late: `redrives` is above 0.
 * - A handler that is slow slows down the reading: nothing piles up in this process.
 * - A handler that throws is called again with growing pauses; after `LIMITS.handlerAttemptsMax`
 *   attempts the subscription ends with `handler-failed`, its position before that result.
 * - A record that cannot be decoded is counted, reported and passed over.
 */
export async function subscribe<T extends Task>(
  options: SubscribeOptions<T>,
  handler: ResultHandler<T>,
): Promise<Subscription> {
  const { topics, tasks, clock, tracer = noTracer, logger = silentLogger } = options;
  checkTasks(tasks);
  const taskOf = new Map(tasks.map((task) => [topics.results[task].name, task]));
  const cameras = options.cameras && new Set(options.cameras);
  const counts = { delivered: 0, retried: 0, undecodable: 0, skipped: 0 };
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  const stopping = new AbortController();

  const decode = async (record: IncomingRecord): Promise<ResultOf<T> | undefined> => {
    try {
      const value = framedValue(record);
      if (value !== null) await options.framing.learn(value);
      const task = defined(taskOf.get(record.topic), `the task of ${record.topic}`);
      return decodeResult(task, value, options.framing);
    } catch (error) {
      if (error instanceof HalfsightError && error.canRetry) throw error;
      counts.undecodable++;
      if (options.onUndecodable) options.onUndecodable(record, error);
      else logger.warn('result-undecodable', { ...placeOf(record), error: describeError(error) });
      return undefined;
    }
  };

  const onRecord = async (record: IncomingRecord): Promise<void> => {
    const isOthers = (camera: string | null) => camera !== null && cameras?.has(camera) === false;
    // The key is the camera's id, so that results of others are not even decoded.
    const result = isOthers(record.key) ? 'skipped' : await decode(record);
    if (result === undefined) return;
    if (result === 'skipped' || isOthers(result.cameraId)) {
      counts.skipped++;
      return;
    }
    const attempts = { clock, stopping: stopping.signal, onRetry: () => void counts.retried++ };
    await deliver({ record, result, handler, tracer, logger, ...attempts });
    counts.delivered++;
  };

  const reader = new TopicReader({
    broker: options.broker,
    topics: [...taskOf.keys()],
    from: options.from ?? 'latest',
    groupId: options.groupId,
    onRecord,
    onFailed: (error) => {
      ended.reject(error);
      void reader.stop();
    },
  });
  const stop = async () => {
    stopping.abort();
    await reader.stop();
    ended.resolve();
  };
  await reader.start().catch(async (error: unknown) => {
    await reader.stop();
    throw error;
  });
  return { ended: ended.promise, report: () => ({ ...counts }), stop };
}

interface DeliverOptions<T extends Task> {
  readonly record: IncomingRecord;
  readonly result: ResultOf<T>;
  readonly handler: ResultHandler<T>;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
  readonly onRetry: () => void;
}

/** Calls the handler until it succeeds; throws when it does not, or when asked to stop. */
async function deliver<T extends Task>(options: DeliverOptions<T>): Promise<void> {
  const { record, result, clock, logger, stopping } = options;
  const id = frameId(result);
  // One reading of the clock: so the steps of a trace add up to the age that the handler is told.
  const receivedTimeUs = clock.nowUs();
  const span = options.tracer.start('deliver', {
    kind: 'consumer',
    parent: traceparentOf(record.headers),
    startTimeUs: receivedTimeUs,
    attributes: {
      'halfsight.frame.id': id,
      'halfsight.camera.id': result.cameraId,
      'halfsight.task': result.task,
      'messaging.system': 'kafka',
      'messaging.destination.name': record.topic,
    },
  });
  const base = {
    ...placeOf(record),
    frameId: id,
    receivedTimeUs,
    traceparent: span.traceparent(),
  };
  let delayMs: number = LIMITS.handlerRetryDelayMsMin;
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await options.handler(result, { ...base, attempt });
        return;
      } catch (error) {
        span.fail(error);
        if (attempt >= LIMITS.handlerAttemptsMax || stopping.aborted) {
          throw handlerFailed(`${result.task} ${id}`, attempt, error);
        }
        logger.warn('handler-retried', { frame: id, attempt, error: describeError(error) });
        options.onRetry();
        await clock.sleep(delayMs, stopping);
        delayMs = Math.min(delayMs * 2, LIMITS.handlerRetryDelayMsMax);
      }
    }
  } finally {
    span.end();
  }
}

function handlerFailed(what: string, attempts: number, cause: unknown): HalfsightError {
  const message = `the handler failed ${attempts} times on ${what}: ${describeError(cause)}`;
  return new HalfsightError('handler-failed', message, {
    advice: 'Results from this one on will be delivered again once it is mended.',
    cause,
  });
}

function placeOf({ topic, partition, offset }: IncomingRecord) {
  return { topic, partition, offset };
}

/** Tasks often come from a command line or a config file, where types do not reach. */
function checkTasks(tasks: readonly string[]): void {
  const known: readonly string[] = TASKS;
  const unknown = tasks.find((task) => !known.includes(task));
  if (unknown === undefined && tasks.length > 0) return;
  const message = unknown === undefined ? 'no task is named.' : `there is no task "${unknown}".`;
  throw new HalfsightError('usage-invalid', message, { advice: `Tasks are: ${TASKS.join(', ')}.` });
}
