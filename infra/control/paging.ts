import { Type } from '@sinclair/typebox';
import { LIMITS } from '#runtime/limits.ts';

/** Query parameters of every list. */
export const PAGING = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: LIMITS.controlPageMax,
      default: LIMITS.controlPageDefault,
    }),
  ),
  after: Type.Optional(Type.String({ maxLength: 200, description: '"next" of the page before.' })),
};

export const Next = Type.Union([Type.String(), Type.Null()], {
  description: 'What "after" is for the next page; null on the last one.',
});

export interface PageQuery {
  readonly limit?: number;
  readonly after?: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/**
 * A page of items that are in the order of their keys. It begins behind a key, not at a number, so
 * that none is missed or shown twice when others come or go meanwhile.
 */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  { limit = LIMITS.controlPageDefault, after }: PageQuery,
): Page<T> {
  const rest = after === undefined ? items : items.filter((item) => keyOf(item) > after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return { items: page, next: last === undefined || rest.length <= limit ? null : keyOf(last) };
}
