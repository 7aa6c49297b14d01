/**
 * States something that only a mistake in this program can make false. Operating errors (bad input,
 * a broker that is away) are `HalfsightError`s and handled; a failed assertion crashes the process.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** The value, or a crash where the program's own logic says that it must be there. */
export function defined<T>(value: T | undefined | null, what: string): T {
  assert(value !== undefined && value !== null, `${what} is missing`);
  return value;
}
