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
  /** Heads that run in place of the bundle's own; absent: none. */
  readonly replacements?: PlacedHeads;
  /** Heads that run beside the live ones, to be compared; absent: none. */
  readonly shadows?: PlacedHeads;
}

/** A head that came after its bundle. */
export interface AddedVersion {
  readonly version: string;
  /** SHA-256 of its head.json, hex: no other content is run under this version. */
  readonly digest: string;
}

/** A task that is not in it has the bundle's own head. */
export type AddedVersions = Readonly<Partial<Record<Task, AddedVersion>>>;

export interface PlacedHead extends AddedVersion {
  readonly directory: string;
}

export type PlacedHeads = Readonly<Partial<Record<Task, PlacedHead>>>;

/** A frame on its way to the engine process: kilobytes, where its latent has hundreds of them. */
export interface EngineFrame {
  readonly bitstream: Uint8Array;
  readonly geometry: FrameGeometry;
}

export interface EngineBatch {
  readonly frames: readonly EngineFrame[];
  /** Which of the active heads to run, in their order; absent: all. */
  readonly heads?: readonly Task[];
  /** Whether shadows of those heads are run after them; absent: not. */
  readonly shadows?: boolean;
}

/** Wall-clock time; both processes read the clock of one host. */
export interface Interval {
  readonly startUs: number;
  readonly endUs: number;
}

export function intervalMs({ startUs, endUs }: Interval): number {
  return (endUs - startUs) / 1000;
}

/** Why a frame's symbols could not be decoded, though its header and checksum are sound. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** By head that ran, in the order of the settings; or why there is nothing. */
export type FrameOutput = { readonly findings: readonly Finding[] } | { readonly refusal: Refusal };

export interface BatchOutput {
  readonly frames: readonly FrameOutput[];
  /** Of the entropy coder, for the whole batch. */
  readonly decode: Interval;
  readonly body: Interval;
  /** By head that ran: the session and the reading of its output. */
  readonly heads: readonly Interval[];
  /** The live heads that are not the bundle's own, as the thread that ran them has read them. */
  readonly added?: AddedVersions;
}

/** What a head in shadow said of the frames of a batch, or why it said nothing. */
export type ShadowOutput =
  | { readonly task: Task; readonly findings: readonly Finding[]; readonly interval: Interval }
  | { readonly task: Task; readonly error: string };

/** A head in shadow that could not be opened: the engine runs without it. */
export interface RefusedShadow {
  readonly directory: string;
  readonly message: string;
}

interface Opening {
  readonly kind: 'open';
  readonly settings: EngineSettings;
}

interface Closing {
  readonly kind: 'close';
}

interface Ready {
  readonly kind: 'ready';
  readonly refusedShadows?: readonly RefusedShadow[];
}

interface Refused {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly message: string;
  readonly advice: string | undefined;
}

/** Follows the `done` of a batch with shadows. */
interface Shadowed {
  readonly kind: 'shadowed';
  readonly id: number;
  readonly outputs: readonly ShadowOutput[];
}

interface Failed {
  readonly kind: 'failed';
  readonly id: number;
  readonly message: string;
}

/**
 * The conversation with the engine process. Requests are answered in order, one at a time:
 *
 *   open -> ready | refused         run -> done | failed         close -> exit 0
 *                                   run with shadows -> done, shadowed | failed
 */
export type ToEngine =
  | Opening
  | { readonly kind: 'run'; readonly id: number; readonly batch: EngineBatch }
  | Closing;

export type FromEngine =
  | Ready
  | Refused
  | { readonly kind: 'done'; readonly id: number; readonly output: BatchOutput }
  | Shadowed
  | Failed;

/** A batch whose symbols are decoded, as the thread with the models gets it. */
export interface DecodedBatch {
  /** [N, channels, height, width]; its memory is moved to the thread, and back with the answer. */
  readonly symbols: Int32Array<ArrayBuffer>;
  /** One entry per frame, in both. */
  readonly ratePoints: readonly number[];
  readonly geometries: readonly FrameGeometry[];
  readonly heads?: readonly Task[];
  readonly shadows?: boolean;
}

/** What the models said, frame by frame. */
export interface ModelOutput extends Pick<BatchOutput, 'body' | 'heads' | 'added'> {
  readonly findings: readonly (readonly Finding[])[];
}

/** The same conversation, between the engine process and its thread. */
export type ToEngineThread =
  | Opening
  | { readonly kind: 'run'; readonly id: number; readonly batch: DecodedBatch }
  | Closing;

export type FromEngineThread =
  | Ready
  | Refused
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly output: ModelOutput;
      readonly symbols: ArrayBuffer;
    }
  | Shadowed
  | Failed
  | { readonly kind: 'closed' };

/** The parent's end of the pipe. */
export interface EngineChannel {
  send(message: ToEngine): void;
  /** SIGKILL: the only way to end a session that hangs. */
  kill(): void;
  onMessage(handler: (message: FromEngine) => void): void;
  /** Called once, however the process ended. */
  onExit(handler: (how: string) => void): void;
}
