import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { SpanOptions, Tracer } from '#runtime/trace.ts';
import { frameId } from '#schemas/frame.ts';
import { spooledAtUs } from '#schemas/spooled-at.ts';
import { attributesOf } from './fetch-trace.ts';
import type { ParsedFrame } from './parsed-frame.ts';

/**
 * Begins the trace of a frame that the camera did not choose and that turns out to be slow. What
 * happened to it so far is told by its record: as exactly as by the spans of a sampled frame, but
 * that the wait for an encoder is in `capture`. One a `slowFrameIntervalMs`, because whatever makes
 * one frame slow makes others slow as well. A frame that was redriven is old, and not slow.
 */
export class SlowFrames {
  readonly #tracer: Tracer;
  readonly #clock: Clock;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  /** The `traceparent` of what comes next; undefined where the frame is not traced. */
  begin(parsed: ParsedFrame): string | undefined {
    const nowUs = this.#clock.nowUs();
    if (nowUs - parsed.frame.captureTimeUs < LIMITS.slowFrameAgeMs * 1000) return undefined;
    if (parsed.delivery.redrives > 0) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs < LIMITS.slowFrameIntervalMs) return undefined;
    this.#lastMs = nowMs;
    let parent: string | undefined;
    for (const { name, endUs, ...options } of stepsOf(parsed, nowUs)) {
      const span = this.#tracer.start(name, { ...options, parent });
      span.end(endUs);
      parent = span.traceparent();
      if (parent === undefined) return undefined;
    }
    return parent;
  }
}

interface Step extends SpanOptions {
  readonly name: string;
  readonly endUs: number;
}

/** In their order; each begins when the one before ends, or when it is known to. */
function stepsOf({ frame, delivery, parsedTimeUs }: ParsedFrame, nowUs: number): readonly Step[] {
  const { record, fetchTimeUs } = delivery;
  const { captureTimeUs, encodeTimeUs, encodeDurationUs } = frame;
  const encodeFromUs = encodeTimeUs - encodeDurationUs;
  const sentUs = Math.max(encodeTimeUs, record.timestampMs * 1000);
  // Anybody may have written the header, and clocks may have been set meanwhile.
  const toldUs = spooledAtUs(record.headers);
  const storedUs = toldUs && Math.min(Math.max(encodeTimeUs, toldUs), sentUs);
  const id = { 'halfsight.frame.id': frameId(frame), 'halfsight.camera.id': frame.cameraId };
  const told = { ...id, 'halfsight.trace.begun_by': 'slow' };
  const fetched = attributesOf(delivery);
  const step = (name: string, startTimeUs: number, endUs: number, more?: SpanOptions): Step => {
    return { name, startTimeUs, endUs, attributes: told, ...more };
  };
  return [
    step('capture', captureTimeUs, encodeFromUs, { root: true }),
    step('encode', encodeFromUs, encodeTimeUs),
    step(`send ${record.topic}`, encodeTimeUs, storedUs ?? sentUs, { kind: 'producer' }),
    ...(storedUs === undefined ? [] : [step('spool', storedUs, sentUs)]),
    step('fetch', fetchTimeUs, parsedTimeUs, { kind: 'consumer', attributes: fetched }),
    step('batch', parsedTimeUs, nowUs),
  ];
}
