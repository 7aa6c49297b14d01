import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';

/** How far the live consumers are behind. */
export interface LagReport {
  readonly group: string;
  /** Records of the frame topic that are still to be read; a few may be markers. */
  readonly frames: number;
  /** Of partitions with a backlog. */
  readonly partitions: readonly { readonly partition: number; readonly frames: number }[];
  /** The oldest of them has waited for longer than so; null: not for a second. */
  readonly waitsOverMs: number | null;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const STEPS_MS = [
  ...[SECOND_MS, 10 * SECOND_MS, MINUTE_MS, 10 * MINUTE_MS],
  ...[HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS],
];

export interface LagOptions {
  readonly broker: Broker;
  /** Of frames. */
  readonly topic: string;
  /** Of the live consumers. */
  readonly groupId: string;
  readonly clock: Clock;
}

/**
 * A partition in which the group has no position yet is nobody's backlog. How long the oldest frame
 * has waited, Kafka tells in steps: the first offset of a time is asked for, not the time of one.
 */
export async function readLag({ broker, topic, groupId, clock }: LagOptions): Promise<LagReport> {
  const positions = await broker.committedOffsets(groupId, topic);
  const behind = (await broker.offsets(topic)).flatMap(({ partition, low, high }) => {
    const position = positions.get(partition);
    if (position === undefined) return [];
    const next = Math.max(position, low);
    return next < high ? [{ partition, next, frames: high - next }] : [];
  });
  const nowMs = Math.floor(clock.nowUs() / 1000);
  let waitsOverMs: number | null = null;
  for (const stepMs of behind.length === 0 ? [] : STEPS_MS) {
    const later = await broker.offsetsAt(topic, nowMs - stepMs);
    if (!behind.some(({ partition, next }) => next < (later.get(partition) ?? 0))) break;
    waitsOverMs = stepMs;
  }
  return {
    group: groupId,
    frames: behind.reduce((sum, { frames }) => sum + frames, 0),
    partitions: behind.map(({ partition, frames }) => ({ partition, frames })),
    waitsOverMs,
  };
}
