import pLimit from 'p-limit';
import type { Broker, TransactorOptions } from '#runtime/broker.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';

export interface Position {
  readonly offset: number;
  readonly note: string | undefined;
}

/**
 * The position of a group in a partition: the one that is committed, or else this one. Whoever
 * decides at the same time comes to the same, and whoever dies over it leaves it to the others. A
 * transactor of that group which is at work there would be fenced: where there may be one, ask
 * first whether there is a position. Rejects with `broker-fenced` when others came between again
 * and again.
 */
export async function decidePosition(
  broker: Broker,
  place: TransactorOptions,
  position: Position,
): Promise<Position> {
  const transactor = await broker.openTransactor(place);
  try {
    for (let tries = 1; ; tries++) {
      // After a commit this waits until it is settled, and whoever joins the group finds it.
      const offset = await transactor.acquire();
      if (offset !== undefined) return { offset, note: transactor.note };
      try {
        await transactor.commit([], position.offset, position.note);
      } catch (error) {
        const isOthers = codeOf(error) === 'broker-fenced';
        if (!isOthers || tries === LIMITS.positionTriesMax) throw error;
      }
    }
  } finally {
    await transactor.close();
  }
}

/** What `decide` does for each partition, a few at a time. */
export function decideEach<T, R>(all: readonly T[], decide: (one: T) => Promise<R>): Promise<R[]> {
  return pLimit(LIMITS.positionsAtOnce).map(all, decide);
}
