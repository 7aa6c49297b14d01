import { defined } from '#runtime/assert.ts';
import { collectGarbage } from '#test/fixtures/collect-garbage.ts';

/** What the process and the fuzzing thread hold. */
export interface MemorySample {
  readonly atMs: number;
  readonly rssBytes: number;
  /** Of the thread: its heap, its ArrayBuffers and WebAssembly's memories, garbage collected. */
  readonly heldBytes: number;
}

export interface MemoryTrend {
  readonly rssStartMiB: number;
  readonly rssEndMiB: number;
  readonly heldStartMiB: number;
  readonly heldEndMiB: number;
  /** Why this is no flat line. */
  readonly problem: string | undefined;
}

/**
 * Medians, of the time from 10 % to 30 % and of the last 20 %, may differ by so much. The coders'
 * own memory is filled before. At 10,000 cases a second, 16 MiB in ten minutes are 3 bytes a case.
 * RSS says less: a damaged header may ask for a latent of 16 MiB, a few copies of it are about, and
 * the allocator gives them back when it likes.
 */
export const HELD_GROWTH_MIB_MAX = 16;
export const RSS_GROWTH_MIB_MAX = 160;

export function sampleMemory(atMs: number): MemorySample {
  // Some cases need many megabytes for a moment. What counts is what stays.
  collectGarbage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { atMs, rssBytes: rss, heldBytes: heapUsed + external };
}

/** Undefined for a run that was too short to tell. */
export function memoryTrend(samples: readonly MemorySample[]): MemoryTrend | undefined {
  const lastMs = samples.at(-1)?.atMs ?? 0;
  const early = samples.filter(({ atMs }) => atMs >= 0.1 * lastMs && atMs <= 0.3 * lastMs);
  const late = samples.filter(({ atMs }) => atMs >= 0.8 * lastMs);
  if (early.length < 5 || late.length < 5) return undefined;
  const rssStartMiB = medianMiB(early.map(({ rssBytes }) => rssBytes));
  const rssEndMiB = medianMiB(late.map(({ rssBytes }) => rssBytes));
  const heldStartMiB = medianMiB(early.map(({ heldBytes }) => heldBytes));
  const heldEndMiB = medianMiB(late.map(({ heldBytes }) => heldBytes));
  const isFlat =
    rssEndMiB - rssStartMiB <= RSS_GROWTH_MIB_MAX &&
    heldEndMiB - heldStartMiB <= HELD_GROWTH_MIB_MAX;
  const problem = isFlat
    ? undefined
    : `memory grows: RSS ${rssStartMiB} to ${rssEndMiB} MiB (${RSS_GROWTH_MIB_MAX} are allowed), ` +
      `held ${heldStartMiB} to ${heldEndMiB} MiB (${HELD_GROWTH_MIB_MAX} are allowed)`;
  return { rssStartMiB, rssEndMiB, heldStartMiB, heldEndMiB, problem };
}

function medianMiB(bytes: readonly number[]): number {
  const sorted = bytes.toSorted((a, b) => a - b);
  return Math.round(defined(sorted[sorted.length >> 1], 'a sample') / 2 ** 20);
}
