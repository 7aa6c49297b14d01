/**
 * Every operating error of Halfsight, in one table. A code is never reused or renamed: people write
 * alerts on them, and dead letters carry them as their reason.
 *
 * `retry` tells whether the same call may succeed later without anyone changing anything.
 */
export const ERRORS = {
  // What the person who starts a process can get wrong.
  'settings-invalid': { retry: false },
  'config-invalid': { retry: false },
  'program-missing': { retry: false },
  'usage-invalid': { retry: false },

  // Bundles.
  'bundle-missing': { retry: false },
  'bundle-invalid': { retry: false },
  'bundle-digest-mismatch': { retry: false },
  'execution-provider-missing': { retry: false },

  // Heads that came after their bundle.
  'head-missing': { retry: false },
  'head-invalid': { retry: false },
  'head-digest-mismatch': { retry: false },
  /** It was made for another body. */
  'head-foreign': { retry: false },
  /** It took too long for a batch that it was tried on. */
  'head-too-slow': { retry: false },
  'head-conflict': { retry: false },

  // Bitstreams: each of these is also a dead-letter reason.
  'bitstream-truncated': { retry: false },
  'bitstream-version-unknown': { retry: false },
  'bitstream-malformed': { retry: false },
  'bitstream-checksum-mismatch': { retry: false },
  'bitstream-tables-unknown': { retry: false },
  'bitstream-shape-mismatch': { retry: false },
  'bitstream-reference-missing': { retry: false },
  'bitstream-side-mismatch': { retry: false },
  'codec-failed': { retry: false },
  'latent-out-of-range': { retry: false },
  'tables-invalid': { retry: false },

  // Records: each of these is also a dead-letter reason.
  'record-empty': { retry: false },
  'record-truncated': { retry: false },
  'record-malformed': { retry: false },
  'record-too-large': { retry: false },
  'schema-unknown': { retry: false },
  'schema-incompatible': { retry: false },
  'schema-registry-unavailable': { retry: true },
  /** Until the topics' command of this version has run. */
  'schema-unregistered': { retry: true },

  // Inference.
  'inference-failed': { retry: false },
  'inference-stalled': { retry: true },

  // The camera's spool.
  'spool-unusable': { retry: false },
  'spool-failed': { retry: true },

  // Sources.
  'source-invalid': { retry: false },
  'source-ended': { retry: false },
  'source-stalled': { retry: true },
  'source-failed': { retry: true },

  // Broker.
  'broker-unavailable': { retry: true },
  'broker-refused': { retry: false },
  'broker-fenced': { retry: false },
  'topic-missing': { retry: false },
  'publish-failed': { retry: true },

  // The registry of cameras.
  'registry-down': { retry: true },
  'registry-unavailable': { retry: true },
  'registry-refused': { retry: false },
  'registry-full': { retry: false },
  'camera-invalid': { retry: false },
  'camera-conflict': { retry: false },
  'camera-missing': { retry: false },
  'camera-leaving': { retry: true },

  // Jobs.
  'queue-unavailable': { retry: true },
  'queue-refused': { retry: false },
  'queue-full': { retry: false },
  'job-missing': { retry: false },
  /** It is in another state, or has another order, than the call needs. */
  'job-conflict': { retry: false },

  // Subscribers.
  'handler-failed': { retry: false },

  // What a command or a job writes.
  'file-unwritable': { retry: false },
  'webhook-failed': { retry: true },

  // Processes.
  'child-failed': { retry: false },
  'stack-failed': { retry: false },
  'shutdown-timeout': { retry: false },
} as const satisfies Record<string, { retry: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** An operating error: what was wrong, and in `advice` what to do about it. */
export class HalfsightError extends Error {
  override readonly name = 'HalfsightError';
  readonly code: ErrorCode;
  readonly advice: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { advice?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.advice = options.advice;
  }

  get canRetry(): boolean {
    return ERRORS[this.code].retry;
  }
}

/** The code of an operating error, or undefined for anything else. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof HalfsightError ? error.code : undefined;
}

/** One line for a person: code, message, advice. */
export function describeError(error: unknown): string {
  if (error instanceof HalfsightError) {
    const advice = error.advice === undefined ? '' : ` ${error.advice}`;
    return `${error.code}: ${error.message}${advice}`;
  }
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
