/**
 * The header of a frame record that was put back on its topic from a dead letter, for example
 * `3:1234 2`: partition and offset of the letter on the dead-letter topic, and how often this frame
 * was put back, this time included. Everything else in such a record is as the camera wrote it.
 */
export const REDRIVEN_FROM_HEADER = 'redriven-from';

/** Where a redriven record came from. */
export interface RedrivenFrom {
  readonly letterPartition: number;
  readonly letterOffset: number;
  /** From 1. */
  readonly redrives: number;
}

export function redrivenFromText(from: RedrivenFrom): string {
  return `${from.letterPartition}:${from.letterOffset} ${from.redrives}`;
}

/** Undefined for a record that comes from a camera, and for a header that means nothing. */
export function redrivenFrom(
  headers: Readonly<Record<string, Uint8Array>>,
): RedrivenFrom | undefined {
  const header = headers[REDRIVEN_FROM_HEADER];
  if (header === undefined) return undefined;
  const text = Buffer.from(header).toString('latin1');
  const match = /^(\d{1,9}):(\d{1,15}) ([1-9]\d{0,8})$/.exec(text);
  if (match === null) return undefined;
  const [letterPartition = 0, letterOffset = 0, redrives = 0] = match.slice(1).map(Number);
  return { letterPartition, letterOffset, redrives };
}

/** How often the frame of a record was redriven: 0 for one that comes from a camera. */
export function redrivesOf(headers: Readonly<Record<string, Uint8Array>>): number {
  return redrivenFrom(headers)?.redrives ?? 0;
}
