/**
 * The header of a frame record that waited on the disk of its camera agent, because the cluster was
 * away: when it came there, microseconds since the Unix epoch. It left the disk at the time of its
 * record.
 */
export const SPOOLED_AT_HEADER = 'spooled-at';

/** Undefined for a record that was sent at once, and for a header that means nothing. */
export function spooledAtUs(
  headers: Readonly<Record<string, Uint8Array | string>>,
): number | undefined {
  const header = headers[SPOOLED_AT_HEADER];
  if (header === undefined) return undefined;
  const text = typeof header === 'string' ? header : Buffer.from(header).toString('latin1');
  return /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
}
