import type { Clock } from '../clock.ts';
import { describeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { byLabel } from './by-label.ts';
import { Metrics, type MetricTables } from './metrics.ts';

/** `stopped`: nobody had taken them when the process ended. */
const SPAN_DROPS = ['queue-full', 'export-failed', 'stopped'] as const;

export type SpanDrop = (typeof SPAN_DROPS)[number];

/** What a process counts of the exports of its spans. */
export const SPAN_METRICS = {
  counters: byLabel('dropped', 'reason', SPAN_DROPS, {
    name: 'halfsight_spans_dropped_total',
    help: 'Spans that a collector (OTLP) was to have and did not get, by reason.',
  }),
  histograms: {},
  gauges: {},
} as const satisfies MetricTables;

/** From the first span that was dropped until all arrive again. */
interface Spell {
  readonly sinceMs: number;
  readonly reasons: Set<SpanDrop>;
  spans: number;
}

/**
 * Counts the spans that no collector gets, and tells once for each reason that there are such, and
 * once that all arrive again.
 */
export class SpanWatch extends Metrics<typeof SPAN_METRICS> {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #spell: Spell | undefined;
  /** Since the last export ended. */
  #wasQueueFull = false;

  constructor(clock: Clock, logger: Logger) {
    super(SPAN_METRICS);
    this.#clock = clock;
    this.#logger = logger;
  }

  dropped(reason: SpanDrop, spans: number, error?: unknown): void {
    this.count(`dropped-${reason}`, spans);
    this.#wasQueueFull = reason === 'queue-full';
    this.#spell ??= { sinceMs: this.#clock.monotonicMs(), reasons: new Set(), spans: 0 };
    this.#spell.spans += spans;
    if (this.#spell.reasons.has(reason)) return;
    this.#spell.reasons.add(reason);
    const why = error === undefined ? {} : { error: describeError(error) };
    this.#logger.warn('spans-dropped', { reason, ...why });
  }

  /** A collector took some. One that is too slow does so as well, while others are dropped. */
  exported(): void {
    const wasQueueFull = this.#wasQueueFull;
    this.#wasQueueFull = false;
    if (this.#spell === undefined || wasQueueFull) return;
    const { sinceMs, spans } = this.#spell;
    this.#spell = undefined;
    const awayMs = Math.round(this.#clock.monotonicMs() - sinceMs);
    this.#logger.info('spans-export-resumed', { dropped: spans, awayMs });
  }
}
