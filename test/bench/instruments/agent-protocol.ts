import type { Cost, Holding } from './cost.ts';
import type { Observed } from './observed.ts';

export interface AgentSettings {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly bundleDirectory: string;
  readonly cameraCount: number;
  /** Of each camera. */
  readonly framesPerSecond: number;
  /**
   * `stub`: a thread that answers every frame at once with the bitstream of its first one.
   * `prepared`: no thread; frames have these in turn, whatever they are, in place of bitstreams.
   */
  readonly encoder: 'onnx' | 'stub' | { readonly prepared: readonly Uint8Array[] };
  readonly encoderWorkers: number;
  /** RGB24 at the size of the encoder's input; every camera shows them in turn. */
  readonly pictures: readonly Uint8Array[];
  /** A file that all cameras play in place of the pictures. */
  readonly video?: string;
  /** Undefined: nobody looks. */
  readonly observed?: Observed;
  /** Share of the frames that are traced; undefined: none. */
  readonly traceSampleRatio?: number;
}

/** Totals since the agent started. */
export interface AgentFigures {
  readonly cost: Cost;
  readonly captured: number;
  readonly published: number;
  readonly dropped: number;
  readonly encoded: number;
  /** In the encoder thread. */
  readonly encodeUs: number;
  /** Processor time of the thread of the sources. */
  readonly sourceUs: number;
  /** Time of the main thread in each stage. */
  readonly stagesUs: Readonly<Record<AgentStage, number>>;
  /** Of a camera's timer: frames that were due while the thread was busy came so late at worst. */
  readonly lateMs: number;
  readonly holding: Holding;
}

export type AgentStage = 'capture' | 'wrap' | 'publish' | 'send';
