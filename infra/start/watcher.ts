import { Balance, type BalanceReport } from '#consumers/subscriber/balance.ts';
import { BalanceFeed, balanceTopics } from '#consumers/subscriber/balance-feed.ts';
import { TopicReader } from '#consumers/subscriber/topic-reader.ts';
import type { Broker, PartitionOffsets } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { type CameraStatus, isPresentStatus } from '#schemas/camera-status.ts';
import type { Framing } from '#schemas/framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { type CameraRow, LiveView } from './live.ts';

export interface WatcherOptions {
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly cameraIds: readonly string[];
  readonly heads: readonly Task[];
  readonly clock: Clock;
  /** Told when a camera is away, and when it is back. */
  readonly onTrouble: (line: string) => void;
  readonly onFailed: (error: unknown) => void;
}

const POLL_MS = 100;

interface TopicEnds {
  readonly name: string;
  readonly ends: readonly PartitionOffsets[];
}

/**
 * Follows all topics from now on, as anyone could, and keeps both the live view and the balance of
 * the cameras' epochs that begin from now on.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #balance: Balance;
  readonly #live: LiveView;
  readonly #reader: TopicReader;
  /** By topic and partition: the offset of the newest record. */
  readonly #newest = new Map<string, number>();
  #resultCount = 0;
  #recordCount = 0;
  #lastRecordMs = 0;
  #isEnding = false;
  readonly #awayCameras = new Set<string>();
  /** By camera. */
  readonly #newestEpochs = new Map<string, number>();

  constructor(options: WatcherOptions) {
    this.#options = options;
    const { broker, topics, framing, heads, clock } = options;
    const startMs = Math.floor(clock.nowUs() / 1000);
    const ids = new Set(options.cameraIds);
    this.#live = new LiveView(options.cameraIds);
    this.#balance = new Balance({
      heads,
      accepts: ({ cameraId, epoch }) => ids.has(cameraId) && epoch >= startMs,
    });
    const feed = new BalanceFeed(this.#balance, topics, framing);
    this.#reader = new TopicReader({
      broker,
      topics: balanceTopics(topics),
      from: 'latest',
      onRecord: async (record) => {
        const event = await feed.enter(record);
        if (event.kind === 'status') this.#noteState(event.status);
        this.#live.enter(event, clock.nowUs());
        if (event.kind === 'result') this.#resultCount++;
        this.#recordCount++;
        this.#lastRecordMs = clock.monotonicMs();
        this.#newest.set(`${record.topic} ${record.partition}`, record.offset);
      },
      onFailed: options.onFailed,
    });
  }

  get resultCount(): number {
    return this.#resultCount;
  }

  start(): Promise<void> {
    return this.#reader.start();
  }

  stop(): Promise<void> {
    return this.#reader.stop();
  }

  rows(): CameraRow[] {
    return this.#live.rows(this.#options.clock.nowUs());
  }

  report(): BalanceReport {
    return this.#balance.report();
  }

  /**
   * Resolves when every frame that was published before has been answered, or when there was no
   * progress for `LIMITS.catchUpTimeoutMs`. `closed`: also waits for the cameras' final counts.
   */
  async caughtUp(options: {
    readonly closed: boolean;
    readonly onWait: (frames: number) => void;
  }): Promise<void> {
    const { broker, topics, clock } = this.#options;
    // A frame that was not read yet is not known to be unanswered.
    const frames = { name: topics.frames.name, ends: await broker.offsets(topics.frames.name) };
    let progress = -1;
    let progressMs = clock.monotonicMs();
    let tellMs = progressMs + 3_000;
    while (!(this.#hasRead(frames, 0) && this.#isCaughtUp(options.closed))) {
      const nowMs = clock.monotonicMs();
      if (this.#recordCount !== progress) {
        progress = this.#recordCount;
        progressMs = nowMs;
      }
      if (nowMs - progressMs > LIMITS.catchUpTimeoutMs) return;
      if (nowMs > tellMs) {
        options.onWait(this.#balance.unanswered());
        tellMs = nowMs + 10_000;
      }
      await clock.sleep(POLL_MS);
    }
  }

  /** Reads what is left on the topics of results, so that a late duplicate would be seen. */
  async readTail(): Promise<void> {
    const { broker, topics, clock } = this.#options;
    const names = [...TASKS.map((task) => topics.results[task].name), topics.deadLetters.name];
    const read = await Promise.all(
      names.map(async (name) => ({ name, ends: await broker.offsets(name) })),
    );
    // The last offset of a transaction is its marker, which no reader sees.
    const isRead = () => read.every((topic) => this.#hasRead(topic, 1));
    this.#lastRecordMs = clock.monotonicMs();
    while (!isRead() && clock.monotonicMs() - this.#lastRecordMs < LIMITS.readerQuietMs) {
      await clock.sleep(POLL_MS);
    }
  }

  /** From now on cameras go away because they were told to. */
  expectTheEnd(): void {
    this.#isEnding = true;
  }

  #noteState({ cameraId, epoch, state, detail }: CameraStatus): void {
    if (this.#isEnding || !this.#options.cameraIds.includes(cameraId)) return;
    const newestEpoch = this.#newestEpochs.get(cameraId) ?? 0;
    if (!isPresentStatus(epoch, newestEpoch)) return;
    this.#newestEpochs.set(cameraId, Math.max(epoch, newestEpoch));
    if (state === 'offline' && !this.#awayCameras.has(cameraId)) {
      this.#awayCameras.add(cameraId);
      this.#options.onTrouble(`Camera ${cameraId} is offline: ${detail}`);
    } else if (state === 'online' && this.#awayCameras.delete(cameraId)) {
      this.#options.onTrouble(`Camera ${cameraId} is back.`);
    }
  }

  /** Up to the ends of its partitions, but for `unseen` offsets of each; none read: none came. */
  #hasRead({ name, ends }: TopicEnds, unseen: number): boolean {
    return ends.every(({ partition, high }) => {
      const newest = this.#newest.get(`${name} ${partition}`);
      return newest === undefined || newest >= high - 1 - unseen;
    });
  }

  #isCaughtUp(closed: boolean): boolean {
    if (this.#balance.unanswered() > 0) return false;
    const { epochs } = this.#balance.report();
    return epochs.every(({ state, verdict }) =>
      state === 'open' ? !closed : verdict === 'balanced',
    );
  }
}
