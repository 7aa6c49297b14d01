import type { LogFields, Logger } from '#runtime/log.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Events that a failing seed prints. */
const EVENTS_KEPT = 60;

interface Event {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
  readonly fields: LogFields;
}

/** What happened last, for the person who has to explain a failing seed. */
export class Journal {
  readonly #clock: VirtualClock;
  readonly #tell: ((line: string) => void) | undefined;
  readonly #events: Event[] = [];

  /** `tell` is given every event as it happens. */
  constructor(clock: VirtualClock, tell?: (line: string) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  note(who: string, what: string, fields: LogFields = {}): void {
    const event = { atMs: this.#clock.monotonicMs(), who, what, fields };
    this.#tell?.(lineOf(event));
    this.#events.push(event);
    if (this.#events.length > 2 * EVENTS_KEPT) this.#events.splice(0, EVENTS_KEPT);
  }

  last(): string[] {
    return this.#events.slice(-EVENTS_KEPT).map(lineOf);
  }

  /** The log of a process; it goes here and nowhere else. */
  logger(who: string): Logger {
    const note = (what: string, fields?: LogFields) => this.note(who, what, fields);
    const logger: Logger = {
      debug: () => undefined,
      info: note,
      warn: note,
      error: note,
      with: () => logger,
    };
    return logger;
  }
}

function lineOf({ atMs, who, what, fields }: Event): string {
  const seconds = (atMs / 1000).toFixed(3).padStart(9);
  const values = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
  return `${seconds} ${who.padEnd(14)} ${what}${values.join('')}`;
}
