import type { Clock } from './clock.ts';
import { LIMITS } from './limits.ts';

/** Where signals come from: `process`. */
export interface SignalSource {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
}

/**
 * Calls `first` on the first Ctrl-C (or SIGTERM, or a terminal that is closed), and `again` on the
 * next. npm passes on a Ctrl-C that the terminal has sent to us as well, so a signal that follows
 * within `LIMITS.signalEchoMs` is the same one.
 */
export function onInterrupts(
  source: SignalSource,
  clock: Clock,
  actions: { readonly first: () => void; readonly again: () => void },
): void {
  let lastMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    source.on(signal, () => {
      const nowMs = clock.monotonicMs();
      const isEcho = lastMs !== undefined && nowMs - lastMs < LIMITS.signalEchoMs;
      const isFirst = lastMs === undefined;
      lastMs = nowMs;
      if (isFirst) actions.first();
      else if (!isEcho) actions.again();
    });
  }
}
