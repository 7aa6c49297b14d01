import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import type { Task } from '#schemas/result.ts';

/**
 * What a frame was made to be. `sound` ones end as results; the others as dead letters with the
 * reason that belongs to them.
 */
export type Nature = 'sound' | 'corrupt' | 'foreign' | 'garbled' | 'indigestible';

/** What only the world knows of a frame. */
export interface CapturedFrame {
  readonly identity: FrameIdentity;
  /** Position among all frames of its camera, over all epochs. */
  readonly order: number;
  /** The agent's process that captured it. */
  readonly agent: string;
  /** What its picture shows; the results must say the same. */
  readonly symbol: number;
  readonly nature: Nature;
  /** The heads that its camera wants; null: all. */
  readonly heads: readonly Task[] | null;
  readonly atMs: number;
}

/** A result as a subscriber was given it. */
export interface Delivered {
  readonly subscriber: string;
  readonly task: Task;
  readonly id: string;
  readonly atMs: number;
}

/** What really happened, against which everything that the topics say is checked. */
export class Truth {
  readonly frames = new Map<string, CapturedFrame>();
  readonly delivered: Delivered[] = [];
  /** Hosts whose process ended without having drained. */
  readonly killed = new Set<string>();
  readonly #counts = new Map<string, number>();

  captured(
    identity: FrameIdentity,
    picture: { readonly symbol: number; readonly nature: Nature },
    at: Pick<CapturedFrame, 'agent' | 'atMs' | 'heads'>,
  ): void {
    const order = this.#counts.get(identity.cameraId) ?? 0;
    this.#counts.set(identity.cameraId, order + 1);
    const { cameraId, epoch, sequence } = identity;
    const frame = { identity: { cameraId, epoch, sequence }, order, ...picture, ...at };
    this.frames.set(frameId(identity), frame);
  }
}
