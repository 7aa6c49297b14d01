import { assemble, type Parts } from '#consumers/inference/assemble.ts';
import type { Pipeline } from '#consumers/inference/pipeline.ts';
import type { InferenceSettings } from '#consumers/inference/settings.ts';
import type { Broker, IncomingRecord, PartitionOffsets } from '#runtime/broker.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { aborted } from '#runtime/lifecycle.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Framing } from '#schemas/framing.ts';
import type { Task } from '#schemas/result.ts';
import { backfillGroups, backfillTopics, type TopicTable } from '#schemas/topics.ts';
import { BoundedConsumer, isPlaceholder } from './bounded-consumer.ts';
import { checkOrder, type Order, subjectOf } from './order.ts';
import { Pace, type PaceOptions } from './pace.ts';
import { isOver, type Progress, progressOf } from './progress.ts';
import { fixRanges, type Range } from './ranges.ts';
import { selector } from './selection.ts';

/** Of a consumer's parts, those that a backfill has none of its own of. */
type Shared = 'bundle' | 'broker' | 'clock' | 'logger' | 'tracer' | 'telemetry' | 'spawnEngine';

export interface BackfillOptions
  extends Order,
    Pick<PaceOptions, 'mayRun' | 'onThrottled'>,
    Pick<Parts, Shared> {
  readonly settings: Pick<InferenceSettings, 'engine' | 'batchFramesMax' | 'commitIntervalMs'>;
  /** The live ones; those of backfills follow from them. */
  readonly topics: TopicTable;
  /** Of the topics of backfills. */
  readonly framing: Framing;
  readonly stopping: AbortSignal;
  /** Called about once a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface BackfillSummary extends Progress {
  /** `stopped`: it was asked to; the rest is left to whoever starts it again. */
  readonly state: 'done' | 'stopped';
}

/** The header of a result that names the backfill which found it. */
export const BACKFILL_HEADER = 'backfill';

/**
 * Runs heads on bitstreams that are on the frame topic already. It is the inference pipeline in a
 * group of its own and on topics of its own, so its transactions make it exactly once, and let it
 * go on where it was whatever ended it; several workers with one id share the partitions.
 *
 *   ranges fixed --> records read --> chosen, and held back --> analysed --> positions at the ends
 *   (ranges.ts)      (bounded-        (selection.ts, pace.ts)   (consumers/  of all ranges: done
 *                    consumer.ts)                               inference)
 *
 * It is done when its group is: a worker stays while another one, who may die, has work to do.
 */
export async function runBackfill(options: BackfillOptions): Promise<BackfillSummary> {
  const { topics, bundle, clock } = options;
  const heads = checkOrder(options, bundle, clock.nowUs() / 1000);
  const groupId = `${backfillGroups(topics)}${options.id}`;
  const { replacements } = options.settings.engine;
  const subject = subjectOf(options, bundle, heads, replacements);
  const ranges = await patiently(options, () =>
    fixRanges({ ...options, topic: topics.frames.name, groupId, subject }),
  );
  const job = new Backfill(options, { heads, groupId, ranges: ranges ?? [] });
  return ranges === undefined ? job.stopped() : await job.run();
}

/** A broker that is away is waited for; undefined when asked to stop meanwhile. */
async function patiently<T>(
  { clock, logger, stopping }: Pick<BackfillOptions, 'clock' | 'logger' | 'stopping'>,
  work: () => Promise<T>,
): Promise<T | undefined> {
  while (!stopping.aborted) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      logger.warn('backfill-waits', { error: describeError(error) });
      await clock.sleep(LIMITS.backfillProgressIntervalMs, stopping);
    }
  }
  return undefined;
}

interface Job {
  readonly heads: readonly Task[];
  readonly groupId: string;
  readonly ranges: readonly Range[];
}

class Backfill {
  readonly #options: BackfillOptions;
  readonly #job: Job;
  readonly #pace: Pace;
  readonly #isChosen: (record: IncomingRecord) => boolean;
  readonly #ends: ReadonlyMap<number, number>;
  readonly #failure = Promise.withResolvers<never>();
  #consumer: BoundedConsumer | undefined;
  #lastFrameTimeUs: number | undefined;
  /** By partition: up to which offset it was said that records are deleted. */
  readonly #deleted = new Map<number, number>();
  #progress: Progress;

  constructor(options: BackfillOptions, job: Job) {
    this.#options = options;
    this.#job = job;
    this.#pace = new Pace(options);
    this.#isChosen = selector(options);
    this.#ends = new Map(job.ranges.map(({ partition, end }) => [partition, end]));
    this.#progress = this.#progressAt(new Map());
    // It is awaited in turns.
    this.#failure.promise.catch(() => undefined);
  }

  stopped(): BackfillSummary {
    return { state: 'stopped', ...this.#progress };
  }

  async run(): Promise<BackfillSummary> {
    const isOver = await patiently(this.#options, () => this.#isOver());
    if (isOver === undefined) return this.stopped();
    if (isOver) return { state: 'done', ...this.#progress };
    const pipeline = this.#assemble();
    const state = await this.#work(pipeline).catch(async (error: unknown) => {
      this.#pace.close();
      await pipeline.drain().catch(() => undefined);
      throw error;
    });
    // Else the frame that waits for its turn would hold up the drain.
    this.#pace.close();
    await this.#unlessFailed(pipeline.drain());
    // For the summary only: what the drain has committed.
    await this.#isOver().catch(() => undefined);
    return { state, ...this.#progress };
  }

  async #work(pipeline: Pipeline): Promise<BackfillSummary['state']> {
    const { stopping } = this.#options;
    const started = pipeline.start(this.#failure.reject);
    await this.#unlessFailed(Promise.race([started, aborted(stopping)]));
    return await this.#unlessFailed(this.#untilOver());
  }

  #unlessFailed<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failure.promise]);
  }

  #assemble(): Pipeline {
    const { broker, topics, settings, id } = this.#options;
    const { groupId, heads } = this.#job;
    const bounded: Broker = {
      ...broker,
      openConsumer: (options) => {
        const consumer = broker.openConsumer(options);
        this.#consumer = new BoundedConsumer(consumer, topics.frames.name, this.#ends);
        return this.#consumer;
      },
    };
    return assemble({
      ...this.#options,
      broker: bounded,
      settings: {
        ...settings,
        ...{ groupId, topics: backfillTopics(topics), engine: { ...settings.engine, heads } },
        // All its frames are old, and it is in no hurry.
        overload: { shedHeads: [], shedAfterMs: Number.POSITIVE_INFINITY, skipAfterMs: undefined },
      },
      select: (record) => this.#select(record),
      // To find now what was not wanted then is what it may be for.
      ignoresWishes: true,
      resultHeaders: { [BACKFILL_HEADER]: id },
      ownTraces: { attributes: { 'halfsight.backfill.id': id } },
      onFailed: this.#failure.reject,
    });
  }

  async #select(record: IncomingRecord): Promise<boolean> {
    if (isPlaceholder(record) || !this.#isChosen(record)) return false;
    await this.#pace.take();
    this.#lastFrameTimeUs = Math.max(this.#lastFrameTimeUs ?? 0, record.timestampMs * 1000);
    return true;
  }

  async #untilOver(): Promise<BackfillSummary['state']> {
    const { clock, stopping } = this.#options;
    while (!stopping.aborted) {
      if (await patiently(this.#options, () => this.#isOver())) return 'done';
      await clock.sleep(LIMITS.backfillProgressIntervalMs, stopping);
    }
    return 'stopped';
  }

  /** Looks how far the group is. */
  async #isOver(): Promise<boolean> {
    const { broker, topics, onProgress } = this.#options;
    const { groupId, ranges } = this.#job;
    const topic = topics.frames.name;
    const offsets = await broker.offsets(topic);
    const positions = await broker.committedOffsets(groupId, topic);
    this.#noticeDeleted(offsets, positions);
    this.#progress = this.#progressAt(positions);
    onProgress?.(this.#progress);
    return isOver(ranges, positions);
  }

  /** Kafka deletes old records, also those that have not been read. */
  #noticeDeleted(
    offsets: readonly PartitionOffsets[],
    positions: ReadonlyMap<number, number>,
  ): void {
    for (const { partition, low } of offsets) {
      const end = this.#ends.get(partition) ?? 0;
      const position = positions.get(partition) ?? end;
      const deleted = Math.min(low, end);
      if (position >= deleted) continue;
      // A consumer is told nothing of a partition without records.
      if (low >= end) this.#consumer?.end(partition);
      if (this.#deleted.get(partition) === deleted) continue;
      this.#deleted.set(partition, deleted);
      // Some of them may have been fetched before.
      const atMost = deleted - position;
      this.#options.logger.warn('frames-deleted-unread', { partition, atMost });
    }
  }

  #progressAt(positions: ReadonlyMap<number, number>): Progress {
    const { heads, ranges } = this.#job;
    const { telemetry } = this.#options;
    const lastFrameTimeUs = this.#lastFrameTimeUs;
    return progressOf({ ranges, positions, telemetry, heads, lastFrameTimeUs });
  }
}
