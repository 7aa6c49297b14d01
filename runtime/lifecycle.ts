import { systemClock } from './clock.ts';
import { codeOf, describeError, type ErrorCode, HalfsightError } from './errors.ts';
import { onInterrupts } from './interrupts.ts';
import { LIMITS } from './limits.ts';
import { createLogger, type Logger } from './log.ts';

/** Why a process is asked to stop. */
export type StopReason = 'signal' | 'parent-gone' | 'requested';

/**
 * What `main.ts` gets. `stopping` aborts once, at the first request to stop; from then on the
 * process drains, and its `run` is expected to return within `LIMITS.shutdownTimeoutMs`.
 */
export interface Lifecycle {
  readonly stopping: AbortSignal;
  readonly logger: Logger;
  /** Asks for a drain from inside, as a signal would from outside. */
  stop(): void;
}

/** Exit codes, as shells and Kubernetes read them. */
export const EXIT = { ok: 0, failed: 1, usage: 2, drainTimedOut: 3 } as const;

const USAGE_ERRORS: readonly ErrorCode[] = [
  'settings-invalid',
  'config-invalid',
  'usage-invalid',
  'camera-invalid',
];

/**
 * Runs a process from start to exit:
 *
 *   starting -> running --(SIGTERM, SIGINT, parent gone)--> draining -> exit 0
 *                  |                                            |
 *                  +--- run throws ---> exit 1                  +-- too long, 2nd signal -> exit 3
 *
 * A process started with an IPC channel (`child_process.fork`) drains when its parent disappears,
 * in whichever way: nothing is left running behind a supervisor that was killed.
 */
export async function runProcess(
  logger: Logger,
  run: (lifecycle: Lifecycle) => Promise<void>,
): Promise<never> {
  const controller = new AbortController();
  const requestStop = (reason: StopReason) => {
    if (controller.signal.aborted) return;
    logger.info('process-draining', { reason });
    controller.abort(reason);
    systemClock.after(LIMITS.shutdownTimeoutMs, () => {
      const error = new HalfsightError('shutdown-timeout', 'the drain took too long.');
      logger.error('process-killed', { error: describeError(error) });
      process.exit(EXIT.drainTimedOut);
    });
  };
  onInterrupts(process, systemClock, {
    first: () => requestStop('signal'),
    again: () => {
      logger.warn('process-stops-at-once');
      process.exit(EXIT.drainTimedOut);
    },
  });
  process.on('disconnect', () => requestStop('parent-gone'));
  process.on('uncaughtException', (error) => crash(logger, error));
  process.on('unhandledRejection', (error) => crash(logger, error));
  try {
    await run({ stopping: controller.signal, logger, stop: () => requestStop('requested') });
  } catch (error) {
    crash(logger, error);
  }
  logger.info('process-stopped');
  process.exit(EXIT.ok);
}

/** Reads what a process needs before it has a logger; a mistake ends it as one in `run` does. */
export function readAtStart<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return crash(createLogger({ level: 'error', format: 'json' }), error);
  }
}

/** Operating errors are told in one line; a mistake of the program with its stack. */
function crash(logger: Logger, error: unknown): never {
  const stack = error instanceof Error && !(error instanceof HalfsightError) ? error.stack : '';
  logger.error('process-failed', { error: describeError(error), ...(stack ? { stack } : {}) });
  process.exit(exitCodeOf(error));
}

/** Of a process that failed: whether what it was told was wrong, or something else. */
export function exitCodeOf(error: unknown): number {
  const isUsage = USAGE_ERRORS.some((code) => code === codeOf(error));
  return isUsage ? EXIT.usage : EXIT.failed;
}

/** Resolves when `signal` aborts, or at once if it has. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
