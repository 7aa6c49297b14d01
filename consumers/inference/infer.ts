import type { Latent } from '#codec/latent.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Span, Tracer } from '#runtime/trace.ts';
import type { Task } from '#schemas/result.ts';
import type { Batch, Batcher } from './batch.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { Delivery, Outcome } from './delivery.ts';
import type { Engine } from './engine.ts';
import type { BatchOutput, EngineBatch } from './engine-protocol.ts';
import type { Overload } from './overload.ts';
import type { FrameFindings } from './publish.ts';
import type { Telemetry } from './telemetry.ts';

export interface InferOptions {
  readonly engine: Pick<Engine, 'run' | 'restart'>;
  readonly overload: Pick<Overload, 'headsFor'>;
  readonly publish: (frame: DecodedFrame, found: FrameFindings) => Outcome;
  readonly deadLetter: (delivery: Delivery, error: unknown) => Outcome;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
}

/** What came of one frame: findings, or the error of a frame that fails alone. */
type Computed =
  | { readonly output: BatchOutput; readonly index: number; readonly heads: readonly Task[] }
  | { readonly error: unknown };

/** Takes batches until there are no more. Rejects when the engine works for no frame at all. */
export async function runInfer(batcher: Batcher, options: InferOptions): Promise<void> {
  for (;;) {
    const batch = await batcher.next();
    if (batch === undefined) return;
    await inferBatch(batch, options);
  }
}

export async function inferBatch({ frames, reason }: Batch, options: InferOptions) {
  const spans = startSpans(frames, reason, options.tracer);
  const heads = options.overload.headsFor(oldestMs(frames));
  const computed = await compute(frames, heads, options);
  for (const [index, frame] of frames.entries()) {
    const one = computed[index];
    const span = spans[index];
    if (one === undefined || 'error' in one) span?.fail(one?.error);
    if (one !== undefined) settle(frame, one, span, options);
    span?.end();
  }
}

function oldestMs(frames: readonly DecodedFrame[]): number {
  return Math.min(...frames.map(({ delivery }) => delivery.record.timestampMs));
}

/**
 * Every frame's findings, undefined for a frame whose generation has ended meanwhile. What fails
 * twice is tried frame by frame, so that one bad frame costs its companions time and nothing else.
 */
async function compute(
  frames: readonly DecodedFrame[],
  heads: readonly Task[],
  options: InferOptions,
): Promise<(Computed | undefined)[]> {
  let lastError: unknown;
  for (let failures = 0; failures < LIMITS.engineFailuresMax; ) {
    if (frames.every(({ delivery }) => delivery.isDropped)) return frames.map(() => undefined);
    try {
      const output = await options.engine.run({ ...packBatch(frames), heads });
      countTimes(output, heads, options);
      return frames.map((_, index) => ({ output, index, heads }));
    } catch (error) {
      failures++;
      lastError = error;
      options.telemetry.count('batch-retried');
      options.logger.warn('batch-failed', { frames: frames.length, error: describeError(error) });
    }
    if (failures < 2) continue;
    if (frames.length > 1) return computeOneByOne(frames, heads, options);
    if (await isEngineSound(frames, options)) return [{ error: lastError }];
    // Not the frame's fault: a driver or a device that is gone would else turn every frame that
    // comes into a dead letter.
    options.engine.restart();
    await options.clock.sleep(LIMITS.engineRestartDelayMsMin * 2 ** failures);
  }
  throw new HalfsightError('inference-failed', 'the engine fails for every frame.', {
    advice: 'See the log of the engine above; is the device still there?',
    cause: lastError,
  });
}

async function computeOneByOne(
  frames: readonly DecodedFrame[],
  heads: readonly Task[],
  options: InferOptions,
) {
  const computed: (Computed | undefined)[] = [];
  for (const frame of frames) computed.push(...(await compute([frame], heads, options)));
  return computed;
}

/** Whether a latent of zeros, which no model can object to, passes. */
async function isEngineSound(frames: readonly DecodedFrame[], options: InferOptions) {
  const [frame] = frames;
  if (frame === undefined) return true;
  const symbols = new Int32Array(frame.latent.symbols.length);
  const probe: DecodedFrame = { ...frame, latent: { ...frame.latent, symbols } };
  try {
    await options.engine.run(packBatch([probe]));
    return true;
  } catch {
    return false;
  }
}

function settle(
  frame: DecodedFrame,
  computed: Computed,
  span: Span | undefined,
  options: InferOptions,
) {
  const { delivery } = frame;
  if ('error' in computed) {
    const error = asInferenceError(computed.error);
    delivery.settle(options.deadLetter(delivery, error));
    return;
  }
  const found = findingsOf(frame, computed, span, options);
  try {
    delivery.settle(options.publish(frame, found));
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    delivery.settle(options.deadLetter(delivery, error));
  }
}

/** `inference-stalled` is worth a retry, but here the retries are over. */
function asInferenceError(error: unknown): HalfsightError {
  return new HalfsightError('inference-failed', describeError(error), { cause: error });
}

/** One span per head below the frame's batch span, with the times that the engine measured. */
function findingsOf(
  frame: DecodedFrame,
  { output, index, heads }: Exclude<Computed, { readonly error: unknown }>,
  span: Span | undefined,
  { tracer }: InferOptions,
): FrameFindings {
  const traceparent = span?.traceparent();
  for (const [headIndex, task] of heads.entries()) {
    const interval = output.heads[headIndex];
    if (traceparent === undefined || interval === undefined) continue;
    const options = { parent: traceparent, startTimeUs: interval.startUs };
    tracer.start(`head ${task}`, options).end(interval.endUs);
  }
  const findings = output.findings[index] ?? [];
  return { findings, intervals: output.heads, traceparent: traceparent ?? frame.traceparent };
}

/** For each sampled frame its own `batch` span, in its own trace, linked to its companions. */
function startSpans(frames: readonly DecodedFrame[], reason: string, tracer: Tracer) {
  return frames.map(({ traceparent, decodedTimeUs }) => {
    if (traceparent === undefined) return undefined;
    const links = frames
      .map((other) => other.traceparent)
      .filter((other) => other !== undefined && other !== traceparent) as string[];
    const attributes = {
      'messaging.batch.message_count': frames.length,
      'halfsight.batch.closed_by': reason,
    };
    return tracer.start('batch', {
      parent: traceparent,
      links,
      attributes,
      startTimeUs: decodedTimeUs,
    });
  });
}

function countTimes(
  output: BatchOutput,
  heads: readonly Task[],
  { telemetry }: InferOptions,
): void {
  telemetry.count('body-ms', (output.body.endUs - output.body.startUs) / 1000);
  for (const [index, task] of heads.entries()) {
    const interval = output.heads[index];
    if (interval === undefined) continue;
    telemetry.count(`head-ms-${task}`, (interval.endUs - interval.startUs) / 1000);
  }
}

/** All latents of a process have the bundle's shape: decode refuses others. */
export function packBatch(frames: readonly DecodedFrame[]): EngineBatch {
  const latents = frames.map(({ latent }) => latent);
  const { channels = 0, height = 0, width = 0 } = latents[0] ?? {};
  return {
    symbols: packNarrow(latents) ?? packWide(latents),
    channels,
    height,
    width,
    ratePoints: frames.map(({ frame }) => frame.ratePoint),
    geometries: frames.map(({ frame: { inputWidth, inputHeight, content } }) => ({
      inputWidth,
      inputHeight,
      content,
    })),
  };
}

function packWide(latents: readonly Latent[]): Int32Array {
  const size = latents[0]?.symbols.length ?? 0;
  const packed = new Int32Array(size * latents.length);
  for (const [index, { symbols }] of latents.entries()) packed.set(symbols, index * size);
  return packed;
}

/** Undefined when a symbol does not fit in 16 bits. */
function packNarrow(latents: readonly Latent[]): Int16Array | undefined {
  const size = latents[0]?.symbols.length ?? 0;
  const packed = new Int16Array(size * latents.length);
  for (const [index, { symbols }] of latents.entries()) {
    for (let at = 0; at < size; at++) {
      const symbol = symbols[at] ?? 0;
      packed[index * size + at] = symbol;
      if (packed[index * size + at] !== symbol) return undefined;
    }
  }
  return packed;
}
