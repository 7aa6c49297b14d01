import type { Clock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import type { CameraState } from '#schemas/camera-status.ts';
import type { FrameIdentity } from '#schemas/frame.ts';
import type { Image, Source } from './image.ts';

/** An image with the identity that it keeps until a subscriber has its results. */
export interface Frame extends FrameIdentity {
  readonly image: Image;
}

export interface StateChange {
  readonly state: CameraState;
  /** The epoch that runs, or ran last; undefined before the first frame. */
  readonly epoch: number | undefined;
  /** Runs after the first one that gave frames. */
  readonly reconnects: number;
  /** Why the camera is not online; empty when it is. Holds no credentials. */
  readonly detail: string;
  readonly timeUs: number;
}

/** Hooks are called one after another, never while another one of this camera runs. */
export interface CaptureHooks {
  onFrame(frame: Frame): void;
  onState(change: StateChange): void;
  /** No frame of `epoch` will follow; its sequence numbers were 0 to `captured` - 1. */
  onEpochEnd(epoch: number, captured: number): void;
}

export interface CaptureOptions {
  readonly cameraId: string;
  readonly source: Source;
  /**
   * The number of an epoch that begins now: Unix ms, by the clock that numbers all of them.
   * Undefined while none may begin, because another agent may have the camera.
   */
  readonly epochNow: () => number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For the jitter of the delays between attempts. */
  readonly random: Random;
  readonly hooks: CaptureHooks;
  /** Only tests have other delays than `LIMITS`. */
  readonly retryDelayMsMin?: number;
  readonly retryDelayMsMax?: number;
}

/** How an agent numbers epochs whose cameras no other agent has. */
export function wallClockEpochs(clock: Clock): () => number {
  return () => Math.floor(clock.nowUs() / 1000);
}

/**
 * Looks after one camera until it ends or `signal` aborts; resolves when its last run has come to
 * an end, after which no hook is called. The states:
 *
 *     connecting --first frame--> online --run failed--> offline --first frame--> online
 *     connecting --run failed--> offline
 *     online --a finite source ended--> ended      (so do connecting and offline)
 *
 * `connecting` is left once and never entered again: a camera that is away stays `offline` while it
 * is tried again and again, so that watching it means watching one state.
 *
 * Each run of the source that gives frames is an epoch of its own, numbered from zero. The frames
 * of a run cannot follow those of a later one: one run is closed, its program gone, before the next
 * one is opened, and what a run still gives after an abort is not looked at.
 */
export async function captureCamera(options: CaptureOptions, signal: AbortSignal): Promise<void> {
  await new Supervisor(options, signal).run();
}

/** How one run of the source went. */
interface RunOutcome {
  readonly captured: number;
  readonly durationMs: number;
  readonly error: HalfsightError | undefined;
}

class Supervisor {
  readonly #options: CaptureOptions;
  readonly #signal: AbortSignal;
  readonly #logger: Logger;
  readonly #delayMsMin: number;
  readonly #delayMsMax: number;
  #epoch: number | undefined;
  #runsWithFrames = 0;
  /** Attempts since the last good run; the delay doubles with each. */
  #failures = 0;

  constructor(options: CaptureOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#logger = options.logger.with({ camera: options.cameraId });
    this.#delayMsMin = options.retryDelayMsMin ?? LIMITS.sourceRetryDelayMsMin;
    this.#delayMsMax = options.retryDelayMsMax ?? LIMITS.sourceRetryDelayMsMax;
  }

  async run(): Promise<void> {
    const { source, clock } = this.#options;
    this.#enter('connecting', `opening ${source.description}`);
    while (!this.#signal.aborted) {
      const outcome = await this.#runOnce();
      if (this.#signal.aborted) return;
      if (outcome.error === undefined && source.isFinite) {
        this.#enter('ended', 'the source has ended');
        return;
      }
      const delayMs = this.#nextDelayMs(outcome);
      const detail =
        outcome.error === undefined ? 'the stream ended' : describeError(outcome.error);
      this.#logger.warn('camera-offline', {
        detail,
        captured: outcome.captured,
        retryInMs: Math.round(delayMs),
      });
      this.#enter('offline', detail);
      await clock.sleep(delayMs, this.#signal);
    }
  }

  async #runOnce(): Promise<RunOutcome> {
    const { source, clock, cameraId, hooks } = this.#options;
    const startMs = clock.monotonicMs();
    let captured = 0;
    let error: HalfsightError | undefined;
    try {
      for await (const image of source.open(this.#signal)) {
        if (this.#signal.aborted) break;
        if (captured === 0 && !this.#beginEpoch()) continue;
        const frame: Frame = { cameraId, epoch: this.#epoch ?? 0, sequence: captured, image };
        captured += 1;
        hooks.onFrame(frame);
      }
    } catch (thrown) {
      // Anything else is a mistake in the program, and hiding it in a retry would make it last.
      if (!(thrown instanceof HalfsightError)) throw thrown;
      error = thrown;
    }
    if (captured > 0 && this.#epoch !== undefined) hooks.onEpochEnd(this.#epoch, captured);
    return { captured, durationMs: clock.monotonicMs() - startMs, error };
  }

  /** Two runs may begin in one millisecond, and clocks are set back: epochs grow all the same. */
  #beginEpoch(): boolean {
    const now = this.#options.epochNow();
    if (now === undefined) return false;
    this.#epoch = Math.max(now, (this.#epoch ?? -1) + 1);
    this.#runsWithFrames += 1;
    this.#logger.info('camera-online', { epoch: this.#epoch });
    this.#enter('online', '');
    return true;
  }

  /**
   * Doubles with each failure, and is drawn from the upper half of that at random, so that the
   * cameras of a site whose switch was restarted do not all come back at the same moment. What
   * cannot succeed before somebody acts is still tried, at the slowest pace: the camera may be put
   * right at its own end.
   */
  #nextDelayMs({ captured, durationMs, error }: RunOutcome): number {
    const isGood = captured > 0 && durationMs >= this.#delayMsMax;
    this.#failures = isGood ? 1 : this.#failures + 1;
    const isHopeless = error !== undefined && !error.canRetry && captured === 0;
    const longest = isHopeless
      ? this.#delayMsMax
      : Math.min(this.#delayMsMax, this.#delayMsMin * 2 ** Math.min(this.#failures, 20));
    const shortest = Math.max(this.#delayMsMin, longest / 2);
    return shortest + this.#options.random.next() * (longest - shortest);
  }

  #enter(state: CameraState, detail: string): void {
    this.#options.hooks.onState({
      state,
      epoch: this.#epoch,
      reconnects: Math.max(0, this.#runsWithFrames - 1),
      detail,
      timeUs: this.#options.clock.nowUs(),
    });
  }
}
