import { refuse } from './record.ts';

/** Checks of what Avro's types cannot say. Each throws `record-malformed` and names the field. */

export function checkSize(recordName: string, what: string, width: number, height: number): void {
  if (width > 0 && height > 0) return;
  refuse(recordName, `${what} size ${width}x${height} is not positive`);
}

export function checkCounts(
  recordName: string,
  what: string,
  counts: Readonly<Record<string, number>>,
): void {
  for (const [name, count] of Object.entries(counts)) {
    if (!(count >= 0)) refuse(recordName, `${what} ${JSON.stringify(name)} is ${count}`);
  }
}

/** 0 to 1; refuses NaN. */
export function checkFraction(recordName: string, what: string, value: number): void {
  if (!(value >= 0 && value <= 1)) refuse(recordName, `${what} ${value} is not between 0 and 1`);
}
