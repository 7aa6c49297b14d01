import { type ErrorCode, HalfsightError } from '#runtime/errors.ts';

/** An error between threads: structured clone would lose class and code. */
export interface ThreadError {
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly advice: string | undefined;
}

export function toThreadError(error: unknown): ThreadError {
  const isOurs = error instanceof HalfsightError;
  return {
    code: isOurs ? error.code : undefined,
    message: error instanceof Error ? error.message : String(error),
    advice: isOurs ? error.advice : undefined,
  };
}

export function fromThreadError({ code, message, advice }: ThreadError): Error {
  if (code === undefined) return new Error(message);
  return new HalfsightError(code, message, advice === undefined ? {} : { advice });
}
