import { readToEnd } from '#consumers/subscriber/read-to-end.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Tracer } from '#runtime/trace.ts';
import { type DeadLetter, decodeDeadLetter } from '#schemas/dead-letter.ts';
import { decodeDeadLetterAction } from '#schemas/dead-letter-action.ts';
import type { Framing } from '#schemas/framing.ts';
import { framedValue } from '#schemas/schema-id.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { LetterBook, summaryOf } from './letter-book.ts';

/** Codes of a record that is no letter, or no action; no other error is its fault. */
const UNREADABLE = /^(record-|schema-unknown|schema-incompatible)/;

/** What every command has at hand. */
export interface Access {
  readonly broker: Broker;
  readonly framing: Framing;
  readonly topics: TopicTable;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  /** Undefined: what is redriven is not traced. */
  readonly tracer?: Tracer | undefined;
}

/** Calls `onLetter` with each letter of the dead-letter topic as it is now, one at a time. */
export async function readLetters(
  access: Access,
  onLetter: (record: IncomingRecord, letter: DeadLetter) => void | Promise<void>,
): Promise<void> {
  const book = new LetterBook();
  await read(access, [access.topics.deadLetters.name], book, onLetter);
}

/** All letters and what was done about them, as far as Kafka still has them. */
export async function readBook(
  access: Access,
  onLetter: (record: IncomingRecord, letter: DeadLetter) => void = () => undefined,
): Promise<LetterBook> {
  const { deadLetterActions, deadLetters } = access.topics;
  const book = new LetterBook();
  // An action refers to a letter: its topic's end is taken first.
  await read(access, [deadLetterActions.name, deadLetters.name], book, (record, letter) => {
    book.enterLetter(summaryOf(record, letter));
    onLetter(record, letter);
  });
  return book;
}

async function read(
  { broker, framing, topics: table, clock, stopping }: Access,
  topics: readonly string[],
  book: LetterBook,
  onLetter: (record: IncomingRecord, letter: DeadLetter) => void | Promise<void>,
): Promise<void> {
  const enter = async (record: IncomingRecord): Promise<void> => {
    const { topic } = record;
    const value = framedValue(record);
    if (value !== null) await framing.learn(value);
    if (topic === table.deadLetters.name) await onLetter(record, decodeDeadLetter(value, framing));
    else book.enterAction(decodeDeadLetterAction(value, framing));
  };
  await readToEnd({
    ...{ broker, topics, clock, stopping },
    // Consumers and redrives write to both in transactions only.
    transactional: new Set(topics),
    onTrimmed: () => undefined,
    onRecord: (record) =>
      enter(record).catch((error: unknown) => {
        if (!(error instanceof HalfsightError && UNREADABLE.test(error.code))) throw error;
        book.enterUnreadable();
      }),
  });
  if (stopping.aborted) throw new HalfsightError('usage-invalid', 'stopped before the end.');
}
