import type { Clock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import type { Span, Tracer } from '#runtime/trace.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';

/**
 * The camera's part of a frame's trace: spans, each the parent of the next. Most frames are not
 * sampled; they all share `UNTRACED`, whose calls do nothing.
 *
 *     capture:        the picture's time .. handed to the encoder
 *     await encoder:  .. a worker takes it
 *     encode:         .. bitstream ready
 *     send TOPIC:     .. acknowledged by the broker, or stored on disk
 *     spool:          .. acknowledged by the broker after all; spool.ts makes it
 */
export interface FrameTrace {
  encoding(): void;
  encoded(encoded: Encoded): void;
  published(): void;
  /** On disk: nobody knows how long it will be there, so the span ends here. */
  stored(): void;
  dropped(reason: string): void;
  /** The send span, for the record's header; undefined when the frame is not sampled. */
  traceparent(): string | undefined;
}

/** What is told of an encoded frame. */
export interface Encoded {
  readonly bitstream: Uint8Array;
  /** When encoding ended. */
  readonly encodeTimeUs: number;
  readonly encodeDurationUs: number;
}

export const UNTRACED: FrameTrace = {
  encoding: () => undefined,
  encoded: () => undefined,
  published: () => undefined,
  stored: () => undefined,
  dropped: () => undefined,
  traceparent: () => undefined,
};

export function startFrameTrace(
  tracer: Tracer,
  identity: FrameIdentity,
  captureTimeUs: number,
  topic: string,
): FrameTrace {
  const attributes = attributesOf(identity);
  let span: Span = tracer.start('capture', {
    root: true,
    startTimeUs: captureTimeUs,
    attributes,
  });
  if (!span.sampled) return UNTRACED;
  const next = (name: string, options: Parameters<Tracer['start']>[1]) => {
    span = tracer.start(name, { parent: span.traceparent(), ...options });
  };
  return {
    encoding() {
      span.end();
      next('await encoder', { attributes });
    },
    encoded({ encodeTimeUs, encodeDurationUs, bitstream }) {
      const beginUs = encodeTimeUs - encodeDurationUs;
      span.end(beginUs);
      next('encode', { startTimeUs: beginUs, attributes });
      span.set('halfsight.bitstream.bytes', bitstream.length);
      span.end(encodeTimeUs);
      next(`send ${topic}`, {
        kind: 'producer',
        startTimeUs: encodeTimeUs,
        attributes: {
          ...attributes,
          'messaging.system': 'kafka',
          'messaging.operation.name': 'send',
          'messaging.operation.type': 'send',
          'messaging.destination.name': topic,
          'messaging.kafka.message.key': identity.cameraId,
        },
      });
    },
    published: () => span.end(),
    stored() {
      span.set('halfsight.spooled', true);
      span.end();
    },
    dropped(reason) {
      span.set('halfsight.drop.reason', reason);
      span.end();
    },
    traceparent: () => span.traceparent(),
  };
}

function attributesOf(identity: FrameIdentity) {
  return {
    'halfsight.frame.id': frameId(identity),
    'halfsight.camera.id': identity.cameraId,
  };
}

/**
 * Spans of dropped frames that are not traced, each a trace of its own: of each camera and reason
 * one a `dropSpanIntervalMs`, because drops come in floods. How many there were, the figures say.
 */
export class DropSpans {
  readonly #tracer: Tracer;
  readonly #clock: Clock;
  /** By camera, then by reason: when the last span was made, monotonic. */
  readonly #lastMs = new Map<string, Map<string, number>>();

  constructor(tracer: Tracer, clock: Clock) {
    this.#tracer = tracer;
    this.#clock = clock;
  }

  /** `fromUs`: when it was captured, or came to where it was dropped. */
  dropped(identity: FrameIdentity, fromUs: number, reason: string): void {
    const { cameraId } = identity;
    const lastMs = this.#lastMs.get(cameraId) ?? new Map<string, number>();
    if (lastMs.size === 0) this.#lastMs.set(cameraId, lastMs);
    const nowMs = this.#clock.monotonicMs();
    const sinceMs = nowMs - (lastMs.get(reason) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs < LIMITS.dropSpanIntervalMs) return;
    lastMs.set(reason, nowMs);
    const attributes = { ...attributesOf(identity), 'halfsight.drop.reason': reason };
    this.#tracer.start('drop', { root: true, startTimeUs: fromUs, attributes }).end();
  }

  /** The camera is not run here any more. */
  forget(cameraId: string): void {
    this.#lastMs.delete(cameraId);
  }
}

/**
 * Which frames are traced: decided here once for everyone downstream. It follows from the frame's
 * identity and the seed alone, so a run can be repeated with the same frames traced.
 */
export class Sampler {
  readonly #ratio: number;
  /** Of cameras that have one of their own. */
  readonly #ratios = new Map<string, number>();
  readonly #seed: number;
  /** Of each camera's newest epoch, so that a frame costs one draw. */
  readonly #epochs = new Map<string, { readonly epoch: number; readonly seed: number }>();

  constructor(ratio: number, seed: number) {
    this.#ratio = ratio;
    this.#seed = seed;
  }

  /** Cameras that are known. */
  get size(): number {
    return this.#epochs.size;
  }

  /** Share of the camera's frames, 0 to 1; undefined: as of all. */
  setRatio(cameraId: string, ratio: number | undefined): void {
    if (ratio === undefined) this.#ratios.delete(cameraId);
    else this.#ratios.set(cameraId, ratio);
  }

  /** The camera is not run here any more. */
  forget(cameraId: string): void {
    this.#epochs.delete(cameraId);
    this.#ratios.delete(cameraId);
  }

  isSampled({ cameraId, epoch, sequence }: FrameIdentity): boolean {
    const ratio = this.#ratios.get(cameraId) ?? this.#ratio;
    if (ratio <= 0) return false;
    if (ratio >= 1) return true;
    let known = this.#epochs.get(cameraId);
    if (known?.epoch !== epoch) {
      const seed = seededRandom(this.#seed)
        .fork(`${cameraId}-${epoch}`)
        .integer(2 ** 32);
      known = { epoch, seed };
      this.#epochs.set(cameraId, known);
    }
    return seededRandom(known.seed + sequence).next() < ratio;
  }
}
