/** A count, or a rate of which the parts do not matter: 1,250. */
export function amount(value: number): string {
  return Math.ceil(value).toLocaleString('en-GB');
}

/** `1 encoder thread`, `2 encoder threads`. */
export function counted(count: number, noun: string): string {
  return `${amount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Two or three digits that matter: 0.13, 4.5, 19.5, 1,240. */
export function figure(value: number): string {
  if (value >= 100) return amount(value);
  return String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

export function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

/** Powers of 1000, as disks and networks are sold. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${figure(value)} ${UNITS[unit]}`;
}

/** Undefined: it never comes to that. */
export function durationText(seconds: number | undefined): string {
  if (seconds === undefined) return 'never';
  if (seconds < 120) return `${figure(seconds)} s`;
  if (seconds < 7200) return `${figure(seconds / 60)} min`;
  return `${figure(seconds / 3600)} h`;
}
