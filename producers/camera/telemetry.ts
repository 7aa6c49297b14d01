import { type Cancel, type Clock, systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { addCounts, type Counts, NO_COUNTS } from './accounts.ts';
import { AgentMetrics, type AgentReading } from './agent-metrics.ts';
import type { CameraBook } from './camera-book.ts';
import type { PreviewsReport } from './previews.ts';
import type { PublisherReport } from './publish.ts';
import type { SpoolReport } from './spool.ts';

/** Numbers of one camera since the agent started. */
export interface CameraSnapshot extends Counts {
  readonly cameraId: string;
  readonly state: string;
  readonly reconnects: number;
  readonly encoded: number;
  readonly bitstreamBytes: number;
  /** Over the last frames; undefined before the first. */
  readonly encodeMsP50: number | undefined;
  readonly encodeMsP95: number | undefined;
}

export interface AgentSnapshot {
  readonly cameras: readonly CameraSnapshot[];
  readonly total: Omit<CameraSnapshot, 'cameraId' | 'state'>;
  readonly backlog: PublisherReport;
  /** Undefined without a spool. */
  readonly spool: SpoolReport | undefined;
}

/** Where encoded frames wait, and previews. */
export interface BacklogReports {
  readonly memory: () => PublisherReport;
  readonly spool: () => SpoolReport | undefined;
  /** Left out: no picture leaves any camera. */
  readonly previews?: () => PreviewsReport;
}

/** Enough for a steady p95, few enough to follow a change within a minute at 5 a second. */
const DURATIONS_KEPT = 256;

class EncodeStatistics {
  encoded = 0;
  bitstreamBytes = 0;
  readonly durationsMs: number[] = [];

  get bytesPerFrame(): number {
    return this.encoded === 0 ? 0 : this.bitstreamBytes / this.encoded;
  }

  add(durationMs: number, bytes: number): void {
    this.durationsMs[this.encoded % DURATIONS_KEPT] = durationMs;
    this.encoded++;
    this.bitstreamBytes += bytes;
  }
}

interface Sums extends Counts {
  readonly reconnects: number;
  readonly encoded: number;
  readonly bitstreamBytes: number;
}

/** What the agent measured, for logs and metrics. It only reads; nothing depends on it. */
export class Telemetry {
  readonly metrics: AgentMetrics;
  readonly #books: ReadonlyMap<string, CameraBook>;
  readonly #reports: BacklogReports;
  /** Of cameras that have a book, from the first frame on. */
  readonly #statistics = new Map<string, EncodeStatistics>();
  /** Of cameras whose books are over. */
  #past: Sums = { ...NO_COUNTS, reconnects: 0, encoded: 0, bitstreamBytes: 0 };

  /** `books`: by camera id; cameras come and go. */
  constructor(
    books: ReadonlyMap<string, CameraBook>,
    reports: BacklogReports,
    clock: Pick<Clock, 'nowUs'> = systemClock,
  ) {
    this.#books = books;
    this.#reports = reports;
    this.metrics = new AgentMetrics(
      () => this.#reading(),
      () => clock.nowUs(),
    );
  }

  /** `traceparent`: if the frame is sampled. */
  encoded(cameraId: string, durationUs: number, bytes: number, traceparent?: string): void {
    const statistics = this.#statistics.get(cameraId) ?? new EncodeStatistics();
    this.#statistics.set(cameraId, statistics);
    statistics.add(durationUs / 1000, bytes);
    this.metrics.encoded(durationUs / 1000, traceparent);
  }

  /** Mean over all frames of the camera; 0 before the first. */
  bytesPerFrameOf(cameraId: string): number {
    return this.#statistics.get(cameraId)?.bytesPerFrame ?? 0;
  }

  /** The camera is not run here any more: of its figures only the total keeps some. */
  forget(book: CameraBook): void {
    const counts = this.#cameraCounts(book);
    this.#past = addSums(this.#past, counts);
    this.metrics.forget(counts);
    this.#statistics.delete(book.cameraId);
  }

  /** Cameras whose durations are held. */
  get size(): number {
    return this.#statistics.size;
  }

  snapshot(): AgentSnapshot {
    const cameras = [...this.#books.values()].map((book) => this.#cameraSnapshot(book));
    const durations = [...this.#statistics.values()].flatMap(({ durationsMs }) => durationsMs);
    return {
      cameras,
      total: {
        ...cameras.reduce<Sums>(addSums, this.#past),
        ...percentiles(durations),
      },
      backlog: this.#reports.memory(),
      spool: this.#reports.spool(),
    };
  }

  /** One line for the whole agent. */
  log(logger: Logger): void {
    const { cameras, total, backlog, spool } = this.snapshot();
    const away = cameras.filter(({ state }) => state === 'offline' || state === 'connecting');
    logger.info('agent-figures', {
      cameras: cameras.length,
      camerasAway: away.length,
      captured: total.captured,
      encoded: total.encoded,
      published: total.published,
      inFlight: total.inFlight,
      ...Object.fromEntries(
        Object.entries(total.dropped).map(([reason, count]) => [`dropped:${reason}`, count]),
      ),
      bitstreamBytes: total.bitstreamBytes,
      encodeMsP50: rounded(total.encodeMsP50),
      encodeMsP95: rounded(total.encodeMsP95),
      backlogBytes: backlog.bytes,
      ...(spool && {
        spoolRecords: spool.records,
        spoolBytes: spool.bytes,
        spoolFailures: spool.failures,
      }),
      reconnects: total.reconnects,
      ...previewFigures(this.#reports.previews?.()),
    });
  }

  #reading(): AgentReading {
    const cameras = [...this.#books.values()].map((book) => this.#cameraCounts(book));
    return {
      cameras,
      total: cameras.reduce<Sums>(addSums, this.#past),
      publishedBytes: this.#reports.memory().publishedBytes,
      spoolFailures: this.#reports.spool()?.failures,
      previews: this.#reports.previews?.(),
    };
  }

  #cameraCounts(book: CameraBook) {
    const { cameraId, state, reconnects, lastFrameTimeUs } = book;
    const { encoded, bitstreamBytes } = this.#statistics.get(cameraId) ?? new EncodeStatistics();
    const own = { cameraId, state, reconnects, lastFrameTimeUs };
    return { ...own, ...book.totals(), encoded, bitstreamBytes };
  }

  #cameraSnapshot(book: CameraBook): CameraSnapshot {
    const { durationsMs = [] } = this.#statistics.get(book.cameraId) ?? {};
    return { ...this.#cameraCounts(book), ...percentiles(durationsMs) };
  }
}

function addSums(a: Sums, b: Sums): Sums {
  return {
    ...addCounts(a, b),
    reconnects: a.reconnects + b.reconnects,
    encoded: a.encoded + b.encoded,
    bitstreamBytes: a.bitstreamBytes + b.bitstreamBytes,
  };
}

function percentiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { encodeMsP50: at(0.5), encodeMsP95: at(0.95) };
}

/** One line for the whole agent, every `telemetryIntervalMs`. */
export function logTelemetry(telemetry: Telemetry, clock: Clock, logger: Logger): Cancel {
  return clock.every(LIMITS.telemetryIntervalMs, () => telemetry.log(logger));
}

/** Nothing where no picture was to leave any camera. */
function previewFigures(report: PreviewsReport | undefined): Readonly<Record<string, number>> {
  const { published = 0, dropped = {} } = report ?? {};
  const drops = Object.entries(dropped).map(([why, count]) => [`previewsDropped:${why}`, count]);
  if (published === 0 && drops.length === 0) return {};
  return { previewsPublished: published, ...Object.fromEntries(drops) };
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
