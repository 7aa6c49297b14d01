import type { Cancel, Clock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import type { LogFields, Logger } from '../log.ts';

/**
 * A line each of "figures" every `telemetryIntervalMs`, until called off. Totals, so that a line
 * that is lost costs nothing.
 */
export function logFigures(read: () => readonly LogFields[], clock: Clock, logger: Logger): Cancel {
  return clock.every(LIMITS.telemetryIntervalMs, () => {
    for (const fields of read()) logger.info('figures', fields);
  });
}
