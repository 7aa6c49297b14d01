import { seededRandom } from '#runtime/random.ts';
import type { Span, Tracer } from '#runtime/trace.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';

/**
 * The camera's part of a frame's trace: three spans, each the parent of the next. Most frames are
 * not sampled; they all share `UNTRACED`, whose calls do nothing.
 *
 *     capture:  the picture's time .. handed to the encoder
 *     encode:   handed to the encoder .. bitstream ready (waiting for a worker included)
 *     publish:  bitstream ready .. acknowledged by the broker, or stored on disk
 */
export interface FrameTrace {
  encoding(): void;
  encoded(encodeTimeUs: number, bytes: number): void;
  published(): void;
  /** On disk: nobody knows how long it will be there, so the span ends here. */
  stored(): void;
  dropped(reason: string): void;
  /** The publish span, for the record's header; undefined when the frame is not sampled. */
  traceparent(): string | undefined;
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
  const attributes = {
    'halfsight.frame.id': frameId(identity),
    'halfsight.camera.id': identity.cameraId,
  };
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
      next('encode', { attributes });
    },
    encoded(encodeTimeUs, bytes) {
      span.set('halfsight.bitstream.bytes', bytes);
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

/**
 * Which frames are traced: decided here once for everyone downstream. It follows from the frame's
 * identity and the seed alone, so a run can be repeated with the same frames traced.
 */
export class Sampler {
  readonly #ratio: number;
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

  /** The camera is not run here any more. */
  forget(cameraId: string): void {
    this.#epochs.delete(cameraId);
  }

  isSampled({ cameraId, epoch, sequence }: FrameIdentity): boolean {
    if (this.#ratio <= 0) return false;
    if (this.#ratio >= 1) return true;
    let known = this.#epochs.get(cameraId);
    if (known?.epoch !== epoch) {
      const seed = seededRandom(this.#seed)
        .fork(`${cameraId}-${epoch}`)
        .integer(2 ** 32);
      known = { epoch, seed };
      this.#epochs.set(cameraId, known);
    }
    return seededRandom(known.seed + sequence).next() < this.#ratio;
  }
}
