import type { ErrorCode } from '#runtime/errors.ts';
import type { Task } from '#schemas/result.ts';
import type { Finding, FrameGeometry } from './heads/head.ts';

/** What the engine process has to know at its start. */
export interface EngineSettings {
  readonly bundleDirectory: string;
  /** Active heads, in the order in which they run. */
  readonly heads: readonly Task[];
  readonly provider: 'cpu' | 'cuda' | 'tensorrt';
  readonly threads: number;
}

/** A batch on its way to the engine process. */
export interface EngineBatch {
  /** Latents one after another. Symbols nearly always fit in 16 bits, which halves the copying. */
  readonly symbols: Int16Array | Int32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** One entry per frame, in both. */
  readonly ratePoints: readonly number[];
  readonly geometries: readonly FrameGeometry[];
  /** Which of the active heads to run, in their order; absent: all. */
  readonly heads?: readonly Task[];
}

/** Wall-clock time; both processes read the clock of one host. */
export interface Interval {
  readonly startUs: number;
  readonly endUs: number;
}

export interface BatchOutput {
  /** By frame, then by head that ran, in the order of the settings. */
  readonly findings: readonly (readonly Finding[])[];
  readonly body: Interval;
  /** By head that ran: the session and the reading of its output. */
  readonly heads: readonly Interval[];
}

/**
 * The conversation with the engine process. Requests are answered in order, one at a time:
 *
 *   open -> ready | refused         run -> done | failed         close -> exit 0
 */
export type ToEngine =
  | { readonly kind: 'open'; readonly settings: EngineSettings }
  | { readonly kind: 'run'; readonly id: number; readonly batch: EngineBatch }
  | { readonly kind: 'close' };

export type FromEngine =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly message: string;
      readonly advice: string | undefined;
    }
  | { readonly kind: 'done'; readonly id: number; readonly output: BatchOutput }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** The parent's end of the pipe. */
export interface EngineChannel {
  send(message: ToEngine): void;
  /** SIGKILL: the only way to end a session that hangs. */
  kill(): void;
  onMessage(handler: (message: FromEngine) => void): void;
  /** Called once, however the process ended. */
  onExit(handler: (how: string) => void): void;
}
