import { LIMITS } from '#runtime/limits.ts';
import { checkCounts } from './bounds.ts';
import type { Framing } from './framing.ts';
import { openRecord, refuse, sealRecord } from './record.ts';
import { RECORD_TYPES } from './record-type.ts';
import { TASKS, type Task } from './result.ts';

/**
 * How a head in shadow compares with the live one, as one consumer counted; the topic keeps the
 * newest one per task, heads and consumer. All figures are sums, so those of several consumers add.
 */
export interface HeadShadow {
  readonly task: Task;
  readonly liveVersion: string;
  /** Of `head.json`, hex; empty for a head of the bundle. */
  readonly liveDigest: string;
  readonly shadowVersion: string;
  readonly shadowDigest: string;
  readonly bundleDigest: string;
  /** An inference process: its group, host and start. */
  readonly consumer: string;
  /** On which both were run and compared. */
  readonly frames: number;
  /** On which the shadow was not run, because there was no time to spare. */
  readonly leftOut: number;
  readonly failed: number;
  /** What agreement is computed from, by the names that the schema tells. */
  readonly sums: Readonly<Record<string, number>>;
  readonly sinceTimeUs: number;
  readonly timeUs: number;
}

/** The key under which the topic keeps the newest record. */
export function headShadowKey(shadow: HeadShadow): string {
  const { task, liveVersion, liveDigest, shadowVersion, shadowDigest, consumer } = shadow;
  const live = `${liveVersion}@${liveDigest.slice(0, 12)}`;
  return `${task} ${live} ${shadowVersion}@${shadowDigest.slice(0, 12)} ${consumer}`;
}

/**
 * What the sums of one task say, by name: agreement (0 to 1), mean difference of scores, and the
 * milliseconds that each head takes for a frame. What nothing is known of is left out.
 */
export function figuresOf({
  task,
  frames,
  sums,
}: Pick<HeadShadow, 'task' | 'frames' | 'sums'>): Readonly<Record<string, number>> {
  const of = (name: string) => sums[name] ?? 0;
  const ratios: Readonly<Record<Task, readonly (readonly [string, number, number])[]>> = {
    classification: [
      ['top-1', of('top1'), of('compared')],
      ['top-k overlap', of('overlap'), of('compared')],
      ['score diff', of('score_diff'), of('compared')],
    ],
    detection: [
      ['precision', of('matched'), of('shadow_boxes')],
      ['recall', of('matched'), of('live_boxes')],
      ['F1', 2 * of('matched'), of('live_boxes') + of('shadow_boxes')],
      ['mean IoU', of('iou'), of('matched')],
      ['score diff', of('score_diff'), of('matched')],
    ],
    segmentation: [['mean IoU', of('iou'), of('classes')]],
  };
  const times = [
    ['live ms', of('live_ms'), frames],
    ['shadow ms', of('shadow_ms'), frames],
  ] as const;
  const known = [...ratios[task], ...times].filter(([, , whole]) => whole > 0);
  return Object.fromEntries(known.map(([name, part, whole]) => [name, part / whole]));
}

export function encodeHeadShadow(shadow: HeadShadow, framing: Framing): Uint8Array {
  checkShadow(shadow);
  return sealRecord(RECORD_TYPES['head-shadow'], shadow, framing, LIMITS.messageBytesMax);
}

export function decodeHeadShadow(record: Uint8Array | null, framing: Framing): HeadShadow {
  const type = RECORD_TYPES['head-shadow'];
  const shadow = openRecord(type, record, framing, LIMITS.messageBytesMax) as HeadShadow;
  checkShadow(shadow);
  return shadow;
}

function checkShadow({ task, frames, leftOut, failed, sums }: HeadShadow): void {
  if (!TASKS.includes(task)) refuse('head-shadow', `task ${JSON.stringify(task)} is unknown`);
  checkCounts('head-shadow', 'counters', { frames, leftOut, failed });
  checkCounts('head-shadow', 'sums', sums);
}
