import type { BackfillSummary } from './backfill.ts';
import type { Progress } from './progress.ts';

/** `1200 of 9000 frames read (13 %), 310 chosen and settled, at 2026-11-28T20:03:04.000Z`. */
export function progressText(progress: Progress): string {
  const { framesDone, framesTotalEstimate, framesSelected, lastFrameTimeUs } = progress;
  const share = framesTotalEstimate === 0 ? 1 : framesDone / framesTotalEstimate;
  const at =
    lastFrameTimeUs === undefined ? '' : `, at ${new Date(lastFrameTimeUs / 1000).toISOString()}`;
  const read = `${framesDone} of ${framesTotalEstimate} frames read (${Math.floor(share * 100)} %)`;
  return `${read}, ${framesSelected} chosen and settled${at}`;
}

/** What is left to know when a worker ends. */
export function summaryText(summary: BackfillSummary): string {
  const { state, framesDone, framesTotalEstimate, framesSelected } = summary;
  const { results, deadLetters, duplicates } = summary;
  const found = [
    itemise('results', results),
    itemise('dead letters', deadLetters),
    duplicates === 0 ? '' : `${duplicates} second copies left out`,
  ].filter((part) => part !== '');
  const of = `${framesDone} of ${framesTotalEstimate} frames`;
  const ended =
    state === 'done'
      ? `done: ${framesDone} frames read`
      : `stopped after ${of}; the same command goes on`;
  return [ended, `by this worker ${framesSelected} chosen`, ...found].join(', ');
}

function itemise(what: string, counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts).filter(([, count]) => count > 0);
  if (entries.length === 0) return `no ${what}`;
  return `${what} ${entries.map(([name, count]) => `${name} ${count}`).join(' ')}`;
}
