import { readInOrder } from '#consumers/subscriber/read-in-order.ts';
import { AtomicFile } from '#runtime/atomic-file.ts';
import type { Broker, IncomingRecord, PartitionOffsets } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Framing } from '#schemas/framing.ts';
import { decodeResult, type Result } from '#schemas/result.ts';
import { framedValue } from '#schemas/schema-id.ts';
import { backfillTopics, type TopicTable } from '#schemas/topics.ts';
import type { FormatWriter } from './format.ts';
import type { ExportOrder } from './order.ts';
import { Choice, type SkipReason } from './selection.ts';

export interface ExportOptions {
  readonly order: ExportOrder;
  readonly broker: Broker;
  /** The live ones; those of backfills follow from them. */
  readonly topics: TopicTable;
  /** Of the topics that are read. */
  readonly framing: Framing;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  /** Called about once a second. */
  readonly onProgress?: ((progress: ExportProgress) => void) | undefined;
}

export interface ExportProgress {
  /** Records of the topic that were read; a few more may be markers of transactions. */
  readonly recordsRead: number;
  readonly recordsTotalEstimate: number;
  /** Results in the file. */
  readonly exported: number;
  /** Results that are not, by reason. */
  readonly skipped: Readonly<Partial<Record<SkipReason, number>>>;
}

export interface ExportSummary extends ExportProgress {
  readonly file: string;
  readonly bytes: number;
  /** Partitions whose oldest results Kafka has deleted: some that were asked for may be missing. */
  readonly partitionsTrimmed: number;
}

/**
 * Writes the committed results on a topic, up to its end at the start, into a file: partition by
 * partition, and so those of a camera in the order in which they were written. The same results
 * always become the same file. What is in memory does not depend on their number. Undefined when it
 * was asked to stop: then there is no file, or the one that was there before.
 */
export async function runExport(options: ExportOptions): Promise<ExportSummary | undefined> {
  const { order, stopping } = options;
  const file = await AtomicFile.open(order.output);
  let writer: FormatWriter | undefined;
  try {
    writer = await order.format.open(file, order.task);
    const run = new Run(options, writer);
    const extents = await run.read();
    if (stopping.aborted) return undefined;
    await writer.finish();
    await file.commit();
    const partitionsTrimmed = extents.filter(({ low }) => low > 0).length;
    return { file: file.path, bytes: file.bytes, ...run.progress(), partitionsTrimmed };
  } finally {
    await writer?.close?.();
    await file.discard();
  }
}

class Run {
  readonly #options: ExportOptions;
  readonly #writer: FormatWriter;
  readonly #choice: Choice;
  readonly #skipped = new Map<SkipReason, number>();
  #recordsRead = 0;
  #recordsTotalEstimate = 0;
  #exported = 0;

  constructor(options: ExportOptions, writer: FormatWriter) {
    this.#options = options;
    this.#writer = writer;
    this.#choice = new Choice(options.order);
  }

  async read(): Promise<readonly PartitionOffsets[]> {
    const { broker, topics, order, clock, stopping, onProgress } = this.#options;
    const { results } = order.backfill === undefined ? topics : backfillTopics(topics);
    const topic = results[order.task].name;
    const known = await broker.offsets(topic);
    this.#recordsTotalEstimate = known.reduce((sum, { low, high }) => sum + high - low, 0);
    const cancel = clock.every(LIMITS.exportProgressIntervalMs, () => {
      onProgress?.(this.progress());
    });
    const onRecord = (record: IncomingRecord) => this.#enter(record);
    return readInOrder({ broker, topic, clock, stopping, onRecord }).finally(cancel);
  }

  progress(): ExportProgress {
    return {
      recordsRead: this.#recordsRead,
      recordsTotalEstimate: this.#recordsTotalEstimate,
      exported: this.#exported,
      skipped: Object.fromEntries([...this.#skipped].sort()),
    };
  }

  async #enter(record: IncomingRecord): Promise<void> {
    this.#recordsRead++;
    const early = this.#choice.ofRecord(record);
    const decoded = early ?? (await this.#decoded(record));
    const reason = typeof decoded === 'string' ? decoded : this.#choice.ofResult(decoded);
    if (reason !== undefined) this.#skipped.set(reason, (this.#skipped.get(reason) ?? 0) + 1);
    if (reason !== undefined || typeof decoded === 'string') return;
    await this.#writer.write(decoded);
    this.#exported++;
  }

  async #decoded(record: IncomingRecord): Promise<Result | 'undecodable'> {
    const { framing, order } = this.#options;
    const value = framedValue(record);
    try {
      if (value !== null) await framing.learn(value);
      return decodeResult(order.task, value, framing);
    } catch (error) {
      // The registry is away, say: that is no fault of the record.
      if (!(error instanceof HalfsightError) || error.canRetry) throw error;
      return 'undecodable';
    }
  }
}
