import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Span, Tracer } from '#runtime/trace.ts';
import type { Task } from '#schemas/result.ts';
import type { Batch, Batcher } from './batch.ts';
import type { Delivery, Outcome } from './delivery.ts';
import {
  type BatchOutput,
  type EngineBatch,
  type EngineFrame,
  type Interval,
  intervalMs,
} from './engine-protocol.ts';
import type { EngineInUse, EngineSwitch } from './engine-switch.ts';
import type { Finding } from './heads/head.ts';
import type { Overload } from './overload.ts';
import type { ParsedFrame } from './parsed-frame.ts';
import type { FrameFindings } from './publish.ts';
import type { SlowFrames } from './slow-frames.ts';
import type { Telemetry } from './telemetry.ts';

export interface InferOptions {
  readonly engine: EngineInUse;
  readonly overload: Pick<Overload, 'headsFor'>;
  /** A frame that every sound engine takes. */
  readonly blank: () => EngineFrame;
  readonly publish: (frame: ParsedFrame, found: FrameFindings) => Outcome;
  readonly deadLetter: (delivery: Delivery, error: unknown, traceparent?: string) => Outcome;
  /** Undefined: frames that are slow are not traced for that. */
  readonly slow?: Pick<SlowFrames, 'begin'> | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
}

/** What came of one frame: findings, or the error of a frame that fails alone. */
type Computed =
  | {
      readonly findings: readonly Finding[];
      readonly output: BatchOutput;
      readonly heads: readonly Task[];
    }
  | { readonly error: HalfsightError };

/** Takes batches until there are no more. Rejects when the engine works for no frame at all. */
export async function runInfer(
  batcher: Batcher,
  engines: Pick<EngineSwitch, 'use'>,
  options: Omit<InferOptions, 'engine'>,
): Promise<void> {
  for (;;) {
    const batch = await batcher.next();
    if (batch === undefined) return;
    await engines.use((engine) => inferBatch(batch, { ...options, engine }));
  }
}

export async function inferBatch({ frames, reason }: Batch, options: InferOptions) {
  const spans = startSpans(frames, reason, options.tracer);
  const allowed = options.overload.headsFor(oldestMs(frames));
  const computed = await compute(frames, allowed, options);
  for (const [index, frame] of frames.entries()) {
    const one = computed[index];
    const span = spans[index];
    if (one === undefined || 'error' in one) span?.fail(one?.error);
    if (one !== undefined) settle(frame, one, span, options);
    span?.end();
  }
}

function oldestMs(frames: readonly ParsedFrame[]): number {
  return Math.min(...frames.map(({ delivery }) => delivery.record.timestampMs));
}

/**
 * Every frame's findings, undefined for a frame whose generation has ended meanwhile. What fails
 * twice is tried frame by frame, so that one bad frame costs its companions time and nothing else.
 */
async function compute(
  frames: readonly ParsedFrame[],
  allowed: readonly Task[],
  options: InferOptions,
): Promise<(Computed | undefined)[]> {
  // What one frame wants, its companions in the batch get too; publish.ts leaves it out again.
  const heads = allowed.filter((task) => frames.some((frame) => frame.heads.includes(task)));
  let lastError: unknown;
  for (let failures = 0; failures < LIMITS.engineFailuresMax; ) {
    if (frames.every(({ delivery }) => delivery.isDropped)) return frames.map(() => undefined);
    try {
      const shadows = hasTimeToSpare(frames, options.clock);
      const output = await options.engine.run({ ...packBatch(frames), heads, shadows });
      const sampled = frames.find(({ traceparent }) => traceparent !== undefined);
      countTimes(output, heads, sampled?.traceparent, options);
      return output.frames.map((frame) =>
        'refusal' in frame
          ? { error: new HalfsightError(frame.refusal.code, frame.refusal.message) }
          : { findings: frame.findings, output, heads },
      );
    } catch (error) {
      failures++;
      lastError = error;
      options.telemetry.count('batch-retried');
      options.logger.warn('batch-failed', { frames: frames.length, error: describeError(error) });
    }
    if (failures < 2) continue;
    if (frames.length > 1) return computeOneByOne(frames, allowed, options);
    if (await isEngineSound(options)) return [{ error: asInferenceError(lastError) }];
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

/** Heads in shadow run only then; under overload they are the first that are left out. */
function hasTimeToSpare(frames: readonly ParsedFrame[], clock: Clock): boolean {
  const oldestUs = Math.min(...frames.map(({ delivery }) => delivery.fetchTimeUs));
  return clock.nowUs() - oldestUs <= LIMITS.shadowWaitMsMax * 1000;
}

async function computeOneByOne(
  frames: readonly ParsedFrame[],
  allowed: readonly Task[],
  options: InferOptions,
) {
  const computed: (Computed | undefined)[] = [];
  for (const frame of frames) computed.push(...(await compute([frame], allowed, options)));
  return computed;
}

async function isEngineSound({ engine, blank }: InferOptions): Promise<boolean> {
  try {
    await engine.run({ frames: [blank()] });
    return true;
  } catch {
    return false;
  }
}

function settle(
  frame: ParsedFrame,
  computed: Computed,
  span: Span | undefined,
  options: InferOptions,
) {
  const { delivery } = frame;
  const traceparent = span?.traceparent() ?? frame.traceparent;
  if ('error' in computed) {
    delivery.settle(options.deadLetter(delivery, computed.error, traceparent));
    return;
  }
  const found = findingsOf(computed, traceparent ?? options.slow?.begin(frame), options.tracer);
  try {
    delivery.settle(options.publish(frame, found));
  } catch (error) {
    if (!(error instanceof HalfsightError)) throw error;
    delivery.settle(options.deadLetter(delivery, error, found.traceparent));
  }
}

/** `inference-stalled` is worth a retry, but here the retries are over. */
function asInferenceError(error: unknown): HalfsightError {
  return new HalfsightError('inference-failed', describeError(error), { cause: error });
}

/** One span per step below the frame's batch span, with the times that the engine measured. */
function findingsOf(
  { findings, output, heads }: Exclude<Computed, { readonly error: unknown }>,
  traceparent: string | undefined,
  tracer: Tracer,
): FrameFindings {
  if (traceparent !== undefined) {
    for (const [name, { startUs, endUs }] of stepsOf(output, heads)) {
      tracer.start(name, { parent: traceparent, startTimeUs: startUs }).end(endUs);
    }
  }
  return { findings, intervals: output.heads, added: output.added, traceparent };
}

function stepsOf(output: BatchOutput, heads: readonly Task[]): [string, Interval][] {
  const ran = output.heads.map((interval, index): [string, Interval] => [
    `head ${heads[index]}`,
    interval,
  ]);
  return [['decode', output.decode], ['body', output.body], ...ran];
}

/** For each sampled frame its own `batch` span, in its own trace, linked to its companions. */
function startSpans(frames: readonly ParsedFrame[], reason: string, tracer: Tracer) {
  return frames.map(({ traceparent, parsedTimeUs }) => {
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
      startTimeUs: parsedTimeUs,
    });
  });
}

function countTimes(
  output: BatchOutput,
  heads: readonly Task[],
  traceparent: string | undefined,
  { telemetry }: InferOptions,
): void {
  telemetry.observe('decode-ms', intervalMs(output.decode), traceparent);
  telemetry.observe('body-ms', intervalMs(output.body), traceparent);
  for (const [index, task] of heads.entries()) {
    const interval = output.heads[index];
    if (interval !== undefined) {
      telemetry.observe(`head-ms-${task}`, intervalMs(interval), traceparent);
    }
  }
}

function packBatch(frames: readonly ParsedFrame[]): EngineBatch {
  return {
    frames: frames.map(({ frame: { bitstream, inputWidth, inputHeight, content } }) => ({
      bitstream,
      geometry: { inputWidth, inputHeight, content },
    })),
  };
}
