import type { OutgoingRecord } from '#runtime/broker.ts';
import { type Cancel, type Clock, withTimeout } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { type CameraStatus, encodeCameraStatus } from '#schemas/camera-status.ts';
import type { Framing } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { EpochAccount } from './accounts.ts';
import type { CameraBook } from './camera-book.ts';
import type { ProfileReport } from './rate/rate-control.ts';

export interface StatusReporterOptions {
  readonly agentId: string;
  /** By camera id; cameras come and go. A book that is over is taken out when all is told. */
  readonly books: Map<string, CameraBook>;
  /** Resolves when the broker has acknowledged all of them. */
  readonly send: (statuses: readonly CameraStatus[]) => Promise<void>;
  /** The broker has the final counts of this epoch. */
  readonly onTold?: (account: EpochAccount) => void;
  /** It was taken out of `books`. */
  readonly onOver?: (book: CameraBook) => void;
  /** Undefined where rate control does not know the camera. */
  readonly profileOf?: (cameraId: string) => ProfileReport | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Rate {
  capturedBefore: number;
  framesPerSecond: number;
}

/**
 * Tells the status topic how each camera is: at once when its state changed, every
 * `statusIntervalMs` while its counts change, and once for each epoch that has become final.
 *
 * After a final status nothing of its epoch changes; it is told again, with the same counts, when
 * the camera's state changes before another epoch begins.
 *
 * A status that could not be sent is replaced by a newer one, except a final one: it is kept until
 * the broker has it, because it alone lets a reader of the topics close the books of an epoch.
 */
export class StatusReporter {
  readonly #options: StatusReporterOptions;
  readonly #rates = new WeakMap<CameraBook, Rate>();
  /** Final accounts that the broker does not have yet, oldest first. */
  #finals: { readonly book: CameraBook; readonly account: EpochAccount }[] = [];
  #sending: Promise<boolean> | undefined;
  #isAskedAgain = false;
  #isFinishing = false;
  #cancelTicks: Cancel | undefined;
  #lastTickMs = 0;

  constructor(options: StatusReporterOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock } = this.#options;
    this.#lastTickMs = clock.monotonicMs();
    // What an earlier agent captured is no rate of this one.
    for (const book of this.#options.books.values()) {
      this.#rates.set(book, { capturedBefore: book.totals().captured, framesPerSecond: 0 });
    }
    this.#cancelTicks = clock.every(LIMITS.statusIntervalMs, () => this.#tick());
    this.reportNow();
  }

  /** Captured, over the last status interval. */
  framesPerSecondOf(book: CameraBook): number {
    return this.#rates.get(book)?.framesPerSecond ?? 0;
  }

  /** For a change of state: a reader should not have to wait for the next interval. */
  reportNow(): void {
    if (this.#isFinishing) return;
    if (this.#sending !== undefined) {
      this.#isAskedAgain = true;
      return;
    }
    this.#sending = this.#send();
    void this.#sending.then(() => {
      this.#sending = undefined;
      if (!this.#isAskedAgain) return;
      this.#isAskedAgain = false;
      this.reportNow();
    });
  }

  /**
   * Ends every epoch and tells its final counts. All frames must be settled by now. Gives up after
   * `statusDrainTimeoutMs`; what could not be told is logged instead.
   */
  async finish(): Promise<void> {
    this.#cancelTicks?.();
    this.#isFinishing = true;
    const { clock, logger, books } = this.#options;
    for (const book of books.values()) {
      book.endEpoch();
      if (book.state !== 'ended' && book.standing === 'here') {
        const { reconnects } = book;
        book.stateChanged({ state: 'offline', detail: 'the agent was stopped', reconnects });
      }
    }
    const givingUp = new AbortController();
    const told = this.#sendUntilTold(givingUp.signal);
    const timeout = () => new HalfsightError('publish-failed', 'the broker is away.');
    try {
      await withTimeout(clock, LIMITS.statusDrainTimeoutMs, told, timeout);
    } catch (error) {
      givingUp.abort();
      // A send that began before may still be waiting, and then nobody has taken these.
      const untold = [
        ...this.#finals.map(({ account }) => account),
        ...takeAllFinal(books.values()),
      ];
      for (const account of untold) {
        const { cameraId, epoch } = account;
        const { captured, published } = account.counts();
        const counts = { captured, published, dropped: JSON.stringify(account.dropped) };
        logger.error('status-untold', { cameraId, epoch, ...counts, error: describeError(error) });
      }
    }
  }

  async #sendUntilTold(signal: AbortSignal): Promise<void> {
    await this.#sending;
    let delayMs: number = LIMITS.publishRetryDelayMsMin;
    while (!signal.aborted && !(await this.#send())) {
      await this.#options.clock.sleep(delayMs, signal);
      delayMs = Math.min(delayMs * 2, LIMITS.publishRetryDelayMsMax);
    }
  }

  #tick(): void {
    const { clock, books } = this.#options;
    const elapsedMs = Math.max(1, clock.monotonicMs() - this.#lastTickMs);
    this.#lastTickMs += elapsedMs;
    for (const book of books.values()) {
      const { captured } = book.totals();
      const before = this.#rates.get(book);
      const framesPerSecond = ((captured - (before?.capturedBefore ?? 0)) * 1000) / elapsedMs;
      // A camera that fell silent changes nothing else, and its last rate would stand for ever.
      if (framesPerSecond === 0 && (before?.framesPerSecond ?? 0) > 0) book.markChanged();
      this.#rates.set(book, { capturedBefore: captured, framesPerSecond });
    }
    this.reportNow();
  }

  /** True when the broker has everything that there is to tell. */
  async #send(): Promise<boolean> {
    const changed: CameraBook[] = [];
    for (const book of this.#options.books.values()) {
      const finals = book.takeFinal().map((account) => ({ book, account }));
      this.#finals.push(...finals);
      if (book.takeChanged()) changed.push(book);
    }
    const finals = this.#finals;
    // The newest status of a camera is what a new reader sees first, so a final one of an epoch
    // that is over is never the last word: the present status follows it.
    const present = new Set([...finals.map(({ book }) => book), ...changed]);
    const statuses = [
      ...finals.map(({ book, account }) => this.#statusOf(book, account)),
      ...[...present]
        .filter((book) => book.standing !== 'left')
        .filter((book) => !finals.some(({ account }) => account === book.latest))
        .map((book) => this.#statusOf(book, book.latest)),
    ];
    try {
      if (statuses.length > 0) await this.#options.send(statuses);
      for (const { book, account } of finals) {
        book.told(account);
        this.#options.onTold?.(account);
      }
      this.#finals = [];
      this.#takeOutOver();
      return true;
    } catch (error) {
      for (const book of changed) book.markChanged();
      this.#options.logger.warn('status-delayed', { error: describeError(error) });
      return false;
    }
  }

  #takeOutOver(): void {
    const { books, onOver } = this.#options;
    for (const book of books.values()) {
      if (!book.isOver) continue;
      books.delete(book.cameraId);
      onOver?.(book);
    }
  }

  #statusOf(book: CameraBook, account: EpochAccount | undefined): CameraStatus {
    const counts = account?.counts();
    const profile = this.#options.profileOf?.(book.cameraId);
    return {
      cameraId: book.cameraId,
      epoch: account?.epoch ?? 0,
      agentId: this.#options.agentId,
      state: book.state,
      captured: counts?.captured ?? 0,
      published: counts?.published ?? 0,
      dropped: counts?.dropped ?? {},
      reconnects: book.reconnects,
      lastFrameTimeUs: book.lastFrameTimeUs,
      framesPerSecond: this.framesPerSecondOf(book),
      ratePoint: profile?.ratePoint ?? null,
      framesPerSecondLimit: profile?.framesPerSecond ?? null,
      profileChanges: profile?.changes ?? 0,
      timeUs: this.#options.clock.nowUs(),
      final: account?.isFinal ?? false,
      interrupted: account?.isInterrupted ?? false,
      sendsPictures: book.sendsPictures,
      detail: book.detail,
    };
  }
}

export function statusRecord(
  status: CameraStatus,
  { topics, framing }: { readonly topics: TopicTable; readonly framing: Framing },
): OutgoingRecord {
  const value = encodeCameraStatus(status, framing);
  return { topic: topics.status.name, key: status.cameraId, value, headers: {} };
}

function takeAllFinal(books: Iterable<CameraBook>): EpochAccount[] {
  return [...books].flatMap((book) => book.takeFinal());
}
