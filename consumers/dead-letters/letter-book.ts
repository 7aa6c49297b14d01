import type { IncomingRecord } from '#runtime/broker.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import type { DeadLetterAction, DeadLetterActionKind } from '#schemas/dead-letter-action.ts';

/** Where a letter is on the dead-letter topic: its name. */
export interface LetterPosition {
  readonly partition: number;
  readonly offset: number;
}

/** `open`: nothing was done about it yet. */
export type LetterState = 'open' | DeadLetterActionKind;

/** A letter without its original record, so that a whole topic of them can be held. */
export interface Letter extends LetterPosition {
  readonly reason: string;
  readonly detail: string;
  readonly frameId: string | null;
  readonly cameraId: string | null;
  readonly originTopic: string;
  readonly originPartition: number;
  readonly originOffset: number;
  readonly originBytes: number;
  readonly failedTimeUs: number;
  readonly redrives: number;
  /** Why its original record cannot be put back; undefined if it can. */
  readonly obstacle: string | undefined;
}

/** What a letter must be; times count when it was given up. */
export interface LetterFilter {
  readonly cameraId?: string;
  readonly reason?: string;
  readonly originTopic?: string;
  readonly sinceUs?: number;
  readonly untilUs?: number;
}

export function letterName({ partition, offset }: LetterPosition): string {
  return `${partition}:${offset}`;
}

export function summaryOf({ partition, offset }: IncomingRecord, letter: DeadLetter): Letter {
  const { reason, detail, frameId, cameraId, failedTimeUs, redrives } = letter;
  const { originTopic, originPartition, originOffset, originBytes } = letter;
  return {
    ...{ partition, offset, reason, detail, frameId, cameraId, failedTimeUs, redrives },
    ...{ originTopic, originPartition, originOffset, originBytes, obstacle: obstacleOf(letter) },
  };
}

/** A record without a value or a key can be no frame, and a part of one must not pass for it. */
function obstacleOf({ originKey, originValue, originBytes }: DeadLetter): string | undefined {
  if (originValue === null) return 'the record has no value';
  if (originValue.length < originBytes) return 'the record was too large to be kept whole';
  return originKey === null ? 'the record has no key' : undefined;
}

/** The letters of a dead-letter topic, joined with what was done about them. */
export class LetterBook {
  readonly #letters = new Map<string, Letter>();
  readonly #actions = new Map<string, DeadLetterAction>();
  /** By partition of the dead-letter topic. */
  readonly #lastNumbers = new Map<number, number>();
  #unreadable = 0;

  /** Records that are no dead letters, or no actions. */
  get unreadable(): number {
    return this.#unreadable;
  }

  enterLetter(letter: Letter): void {
    this.#letters.set(letterName(letter), letter);
  }

  enterAction(action: DeadLetterAction): void {
    const { letterPartition: partition, letterOffset: offset, number } = action;
    this.#actions.set(letterName({ partition, offset }), action);
    this.#lastNumbers.set(partition, Math.max(number, this.lastNumber(partition)));
  }

  enterUnreadable(): void {
    this.#unreadable++;
  }

  letter(position: LetterPosition): Letter | undefined {
    return this.#letters.get(letterName(position));
  }

  actionOn(position: LetterPosition): DeadLetterAction | undefined {
    return this.#actions.get(letterName(position));
  }

  stateOf(position: LetterPosition): LetterState {
    return this.actionOn(position)?.action ?? 'open';
  }

  /** The highest number of an action on letters of the partition; 0 if there is none. */
  lastNumber(partition: number): number {
    return this.#lastNumbers.get(partition) ?? 0;
  }

  /** Oldest first. */
  matching(filter: LetterFilter): Letter[] {
    return [...this.#letters.values()]
      .filter((letter) => matches(letter, filter))
      .sort(
        (a, b) =>
          a.failedTimeUs - b.failedTimeUs || a.partition - b.partition || a.offset - b.offset,
      );
  }

  /** Of one partition, by offset. */
  openOffsets(partition: number): number[] {
    return [...this.#letters.values()]
      .filter((letter) => letter.partition === partition && this.stateOf(letter) === 'open')
      .map(({ offset }) => offset)
      .sort((a, b) => a - b);
  }

  /** Behind the last letter of the partition. */
  end(partition: number): number {
    let end = 0;
    for (const letter of this.#letters.values()) {
      if (letter.partition === partition) end = Math.max(end, letter.offset + 1);
    }
    return end;
  }
}

function matches(letter: Letter, filter: LetterFilter): boolean {
  const { cameraId, reason, originTopic, sinceUs = 0, untilUs = Number.POSITIVE_INFINITY } = filter;
  return (
    (cameraId === undefined || letter.cameraId === cameraId) &&
    (reason === undefined || letter.reason === reason) &&
    (originTopic === undefined || letter.originTopic === originTopic) &&
    letter.failedTimeUs >= sinceUs &&
    letter.failedTimeUs <= untilUs
  );
}
