import type { LabelScore } from '../protocol.ts';

/** Numbers and times as a person reads them. What is not known is a dash. */

const UNKNOWN = '–';

const whole = new Intl.NumberFormat('en');

/** The mark of a camera whose settings let pictures leave it. */
export const SENDS_PICTURES = 'sends pictures';

export function countText(count: number | null | undefined): string {
  return count === null || count === undefined ? UNKNOWN : whole.format(count);
}

/** Two significant digits below ten. */
export function decimalText(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (value >= 100) return whole.format(Math.round(value));
  return value.toFixed(value < 10 ? 1 : 0);
}

/** A length of time: `180 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d`. */
export function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  if (ms < 999.5) return `${Math.round(Math.max(0, ms))} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${padded(seconds % 60)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 2_880) return `${Math.floor(minutes / 60)} h ${padded(minutes % 60)} min`;
  return `${Math.floor(minutes / 1_440)} d`;
}

/** Time that has passed, in whole seconds, so that it does not flicker. */
export function agoText(ms: number): string {
  return durationText(Math.max(1, Math.floor(ms / 1_000)) * 1_000).replace('.0 s', ' s');
}

/** Of a step of a trace: microseconds below a millisecond, tenths below ten. */
export function spanText(us: number): string {
  if (us < 1_000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1_000).toFixed(1)} ms`;
  return durationText(us / 1_000);
}

/** A KB is 1,024 bytes, here as in rows and charts. */
export function bytesText(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return UNKNOWN;
  if (bytes < 1_024) return `${bytes} B`;
  return `${decimalText(bytes / 1_024)} KB`;
}

export function percentText(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 1) return '<1 %';
  return `${Math.round(percent)} %`;
}

/** `10:32:05`, of the reader's own day. */
export function clockText(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}

/** `2026-11-29 10:32:05`, of the reader's own time zone. */
export function dayText(ms: number): string {
  const date = new Date(ms);
  const day = [date.getFullYear(), padded(date.getMonth() + 1), padded(date.getDate())].join('-');
  return `${day} ${clockText(ms)}`;
}

/** `2026-11-29 10:32:05.123`, of the reader's own time zone. */
export function timeText(us: number): string {
  const ms = Math.floor(us / 1_000);
  return `${dayText(ms)}.${String(ms % 1_000).padStart(3, '0')}`;
}

/** `2 person, 1 car`, the most frequent first; empty if there is nothing. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .sort(([a, countA], [b, countB]) => countB - countA || a.localeCompare(b))
    .map(([label, count]) => `${count} ${label}`)
    .join(', ');
}

export function topText(labels: readonly LabelScore[]): string {
  const [top] = labels;
  return top === undefined ? '' : `${top[0]} ${percentText(top[1])}`;
}

export function totalOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** `3 cameras`, `1 camera`. */
export function plural(count: number, one: string): string {
  return `${whole.format(count)} ${one}${count === 1 ? '' : 's'}`;
}

function padded(value: number): string {
  return String(value).padStart(2, '0');
}
