import { LIMITS } from '#runtime/limits.ts';
import type { Family, MetricSource, Sample } from '#runtime/metrics/family.ts';
import { Metrics } from '#runtime/metrics/metrics.ts';
import { QueueMetrics } from '#runtime/metrics/queues.ts';
import { OTHER, SeriesCap } from '#runtime/metrics/series-cap.ts';
import { addCounts, type Counts, DROP_REASONS, NO_COUNTS } from './accounts.ts';
import { AGENT_METRICS } from './metric-tables.ts';
import { PREVIEW_DROP_REASONS, type PreviewsReport } from './previews.ts';

export interface CameraReading extends Counts {
  readonly cameraId: string;
  readonly state: string;
  readonly bitstreamBytes: number;
  /** Of its newest frame, microseconds since the Unix epoch; null before the first. */
  readonly lastFrameTimeUs: number | null;
}

export interface AgentReading {
  readonly cameras: readonly CameraReading[];
  /** Cameras that left are in it. */
  readonly total: Counts & {
    readonly reconnects: number;
    readonly encoded: number;
    readonly bitstreamBytes: number;
  };
  readonly publishedBytes: number;
  /** Undefined without a spool. */
  readonly spoolFailures: number | undefined;
  /** Undefined: no picture leaves any camera. */
  readonly previews?: PreviewsReport | undefined;
}

type CameraSums = Omit<CameraReading, 'state' | 'cameraId'>;

const NOTHING: CameraSums = { ...NO_COUNTS, bitstreamBytes: 0, lastFrameTimeUs: null };
const STATES = ['connecting', 'online', 'offline', 'ended'];

const NOTHING_READ: AgentReading = {
  cameras: [],
  total: { ...NO_COUNTS, reconnects: 0, encoded: 0, bitstreamBytes: 0 },
  publishedBytes: 0,
  spoolFailures: undefined,
};

/** What an agent's scrape shows. The books of cameras are read once for each scrape. */
export class AgentMetrics implements MetricSource {
  readonly queues = new QueueMetrics('agent');
  readonly #metrics: Metrics<typeof AGENT_METRICS>;
  readonly #cap = new SeriesCap(LIMITS.metricCamerasMax);
  readonly #read: () => AgentReading;
  readonly #nowUs: () => number;
  /** Of the scrape under way. */
  #reading = NOTHING_READ;
  #sums: ReadonlyMap<string, CameraSums> = new Map();
  /** Of cameras that left and had no series of their own: theirs may not become less. */
  #pastOthers = NOTHING;

  constructor(read: () => AgentReading, nowUs: () => number) {
    this.#metrics = new Metrics(AGENT_METRICS, { nowUs });
    this.#read = read;
    this.#nowUs = nowUs;
    this.#showAgent();
    this.#showPreviews();
    this.#showCameras();
  }

  encoded(durationMs: number, traceparent?: string): void {
    this.#metrics.observe('encode-ms', durationMs, traceparent);
  }

  acknowledged(durationMs: number): void {
    this.#metrics.observe('ack-ms', durationMs);
  }

  /** The camera is gone, and these were its last counts. */
  forget(camera: CameraReading): void {
    const label = this.#cap.forget(camera.cameraId);
    if (label !== OTHER) return;
    this.#pastOthers = { ...addUp(this.#pastOthers, camera), lastFrameTimeUs: null };
  }

  families(): readonly Family[] {
    this.#reading = this.#read();
    this.#sums = this.#byLabel(this.#reading.cameras);
    return [...this.#metrics.families(), ...this.queues.families()];
  }

  #showAgent(): void {
    const metrics = this.#metrics;
    metrics.gauge('captured', () => this.#reading.total.captured);
    metrics.gauge('published', () => this.#reading.total.published);
    metrics.gauge('in-flight', () => this.#reading.total.inFlight);
    metrics.gauge('encoded', () => this.#reading.total.encoded);
    metrics.gauge('bitstream-bytes', () => this.#reading.total.bitstreamBytes);
    metrics.gauge('published-bytes', () => this.#reading.publishedBytes);
    metrics.gauge('reconnects', () => this.#reading.total.reconnects);
    metrics.series('spool-failures', () => {
      const { spoolFailures: value } = this.#reading;
      return value === undefined ? [] : [{ labels: {}, value }];
    });
    metrics.series('dropped', () => {
      const { dropped } = this.#reading.total;
      return DROP_REASONS.map((reason) => ({ labels: { reason }, value: dropped[reason] ?? 0 }));
    });
    metrics.series('cameras', () =>
      STATES.map((state) => ({
        labels: { state },
        value: this.#reading.cameras.filter((camera) => camera.state === state).length,
      })),
    );
  }

  #showPreviews(): void {
    const metrics = this.#metrics;
    metrics.series('previews-published', () => {
      const { previews } = this.#reading;
      return previews === undefined ? [] : [{ labels: {}, value: previews.published }];
    });
    metrics.series('previews-dropped', () => {
      const { previews } = this.#reading;
      if (previews === undefined) return [];
      return PREVIEW_DROP_REASONS.map((reason) => {
        return { labels: { reason }, value: previews.dropped[reason] ?? 0 };
      });
    });
  }

  #showCameras(): void {
    const metrics = this.#metrics;
    const each = (read: (camera: CameraSums) => number | undefined) => () =>
      [...this.#sums].flatMap(([label, camera]): Sample[] => {
        const value = read(camera);
        return value === undefined ? [] : [{ labels: { camera_id: label }, value }];
      });
    metrics.series(
      'camera-captured',
      each(({ captured }) => captured),
    );
    metrics.series(
      'camera-published',
      each(({ published }) => published),
    );
    metrics.series(
      'camera-bitstream-bytes',
      each(({ bitstreamBytes }) => bitstreamBytes),
    );
    metrics.series(
      'camera-last-frame-age-ms',
      each(({ lastFrameTimeUs: timeUs }) =>
        timeUs === null ? undefined : (this.#nowUs() - timeUs) / 1000,
      ),
    );
    metrics.series('camera-dropped', () =>
      [...this.#sums].flatMap(([label, { dropped }]) =>
        Object.entries(dropped).map(([reason, value]) => {
          return { labels: { camera_id: label, reason }, value };
        }),
      ),
    );
  }

  #byLabel(cameras: readonly CameraReading[]): ReadonlyMap<string, CameraSums> {
    const sums = new Map<string, CameraSums>();
    for (const camera of cameras) {
      const label = this.#cap.labelOf(camera.cameraId);
      const before = sums.get(label) ?? (label === OTHER ? this.#pastOthers : NOTHING);
      sums.set(label, addUp(before, camera));
    }
    // Also when the last of them has left.
    if (!sums.has(OTHER) && this.#pastOthers !== NOTHING) sums.set(OTHER, this.#pastOthers);
    return sums;
  }
}

/** The age is that of the older one. */
function addUp(a: CameraSums, b: CameraSums): CameraSums {
  const times = [a.lastFrameTimeUs, b.lastFrameTimeUs].filter((timeUs) => timeUs !== null);
  return {
    ...addCounts(a, b),
    bitstreamBytes: a.bitstreamBytes + b.bitstreamBytes,
    lastFrameTimeUs: times.length === 0 ? null : Math.min(...times),
  };
}
