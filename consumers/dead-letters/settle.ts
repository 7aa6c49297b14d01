import { defined } from '#runtime/assert.ts';
import type { IncomingRecord, OutgoingRecord, Transactor } from '#runtime/broker.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import {
  noTracer,
  type Span,
  TRACEPARENT_HEADER,
  type Tracer,
  traceparentOf,
} from '#runtime/trace.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import { type DeadLetterAction, encodeDeadLetterAction } from '#schemas/dead-letter-action.ts';
import { REDRIVEN_FROM_HEADER, redrivenFromText } from '#schemas/redriven-from.ts';
import { redriveGroup } from '#schemas/topics.ts';
import { type Letter, type LetterBook, letterName } from './letter-book.ts';
import { type Access, readBook, readLetters } from './read-letters.ts';

/** What to do about letters, and what to write down of it. */
export interface Order {
  readonly action: 'redriven' | 'discarded';
  readonly note: string;
  /** user@host */
  readonly by: string;
}

export interface Settlement {
  readonly settled: number;
  /** Letters about which something was done before, by whomever. */
  readonly settledBefore: number;
}

/**
 * Redrives or discards letters, each once, whatever is killed and whoever does the same elsewhere.
 *
 * Kafka holds the only truth. A letter is open until the topic of actions has one for it, and the
 * action is written in the transaction that does what it says:
 *
 *   { original record -> its topic,  action -> topic of actions,  position of the redrive group }
 *
 * The transactional id belongs to the letter's partition. Whoever acquires it fences everyone
 * before, whose transaction is then committed or aborted; only after that are the actions read. So
 * what was found open stays open until we commit, or we are fenced and our commit is refused.
 *
 * A reader of Kafka can never be sure to have seen the end of a topic: a slow broker looks like
 * one. Therefore actions are numbered per partition, and the last number is kept with the position,
 * and its time. If it was not among what was read, nothing is done.
 *
 * The position itself is where the first open letter is, so that any monitor of consumer lag shows
 * that letters are waiting. Kafka forgets a group's position after a week without commits, when the
 * letters of that time are gone as well; the actions alone would do.
 *
 * A command that is killed leaves its transaction open, and readers of the frame topic wait for its
 * end: `LIMITS.transactionTimeoutMs`, or until the command is given again.
 */
export async function settleLetters(
  access: Access,
  chosen: readonly Letter[],
  order: Order,
): Promise<Settlement> {
  const { broker, topics } = access;
  const groupId = redriveGroup(topics);
  const desks = new Map<number, Desk>();
  try {
    for (const partition of new Set(chosen.map((letter) => letter.partition))) {
      const topic = topics.deadLetters.name;
      const transactor = await broker.openTransactor({ groupId, topic, partition });
      desks.set(partition, new Desk({ access, order, partition, transactor }));
    }
    return await settleAtDesks(access, chosen, order, desks);
  } catch (error) {
    throw withAdvice(error);
  } finally {
    for (const desk of desks.values()) await desk.close();
  }
}

async function settleAtDesks(
  access: Access,
  chosen: readonly Letter[],
  order: Order,
  desks: ReadonlyMap<number, Desk>,
): Promise<Settlement> {
  for (const desk of desks.values()) await desk.acquire();
  const book = await readBook(access);
  for (const desk of desks.values()) desk.open(book);
  const open = chosen.filter((letter) => book.stateOf(letter) === 'open');
  const deskOf = ({ partition }: Pick<Letter, 'partition'>) =>
    defined(desks.get(partition), 'desk');
  if (order.action === 'discarded') {
    for (const letter of open) await deskOf(letter).settle(letter);
  } else {
    // The originals of all letters at once could be more than memory holds.
    const names = new Set(open.map(letterName));
    await readLetters(access, async (record, letter) => {
      const { partition, offset } = record;
      const place = { partition, offset };
      if (!names.has(letterName(place))) return;
      const original = originalOf(letter, place);
      const span = startRedrive(record, letter, access.tracer);
      await deskOf(place).settle({ ...letter, ...place }, withTrace(original, span), span);
    });
  }
  let settled = 0;
  for (const desk of desks.values()) settled += await desk.finish();
  if (settled < open.length) {
    const message = `${open.length - settled} of ${open.length} letters could not be read again.`;
    throw new HalfsightError('broker-unavailable', message);
  }
  return { settled, settledBefore: chosen.length - open.length };
}

/** The record as it was, with a header more that says where it comes from. */
function originalOf(
  letter: DeadLetter,
  { partition, offset }: Pick<Letter, 'partition' | 'offset'>,
): OutgoingRecord {
  const from = {
    ...{ letterPartition: partition, letterOffset: offset },
    redrives: letter.redrives + 1,
  };
  return {
    topic: letter.originTopic,
    key: Buffer.from(defined(letter.originKey, 'the key of a record to redrive')).toString('utf8'),
    value: defined(letter.originValue, 'the value of a record to redrive'),
    headers: { [REDRIVEN_FROM_HEADER]: redrivenFromText(from) },
    rawHeaders: letter.originHeaders,
  };
}

/** The frame's trace goes on with what comes of it now. */
function startRedrive(
  record: IncomingRecord,
  { frameId, originTopic, redrives }: DeadLetter,
  tracer: Tracer = noTracer,
): Span {
  return tracer.start('redrive', {
    kind: 'producer',
    parent: traceparentOf(record.headers),
    attributes: {
      ...(frameId === null ? {} : { 'halfsight.frame.id': frameId }),
      'halfsight.redrives': redrives + 1,
      'messaging.system': 'kafka',
      'messaging.destination.name': originTopic,
    },
  });
}

/** In place of the context that it had as it was given up. */
function withTrace(record: OutgoingRecord, span: Span): OutgoingRecord {
  const traceparent = span.traceparent();
  if (traceparent === undefined) return record;
  return { ...record, headers: { ...record.headers, [TRACEPARENT_HEADER]: traceparent } };
}

interface DeskOptions {
  readonly access: Access;
  readonly order: Order;
  readonly partition: number;
  readonly transactor: Transactor;
}

/** Settles letters of one partition, as many in a transaction as fit. */
class Desk {
  readonly #options: DeskOptions;
  /** Offsets of the open letters, lowest first; those of the transaction under way included. */
  #open: readonly number[] = [];
  #end = 0;
  #lastNumber = 0;
  #offsets: number[] = [];
  #records: OutgoingRecord[] = [];
  #spans: Span[] = [];
  /** Of originals; the actions, which go to another topic, are always fewer. */
  #bytes = 0;
  #settled = 0;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  async acquire(): Promise<void> {
    await this.#options.transactor.acquire();
  }

  /** Throws when the book does not hold all actions that were taken before `acquire`. */
  open(book: LetterBook): void {
    const { access, partition, transactor } = this.#options;
    const note = (transactor.note ?? '').split(' ');
    const [noted = 0, notedMs = 0] = note.map((text) => Number(text) || 0);
    const read = book.lastNumber(partition);
    const isSure = access.clock.nowUs() / 1000 - notedMs < LIMITS.deadLetterActionsSureMs;
    if (read < noted && isSure) {
      const message = `action ${noted} on letters of partition ${partition} could not be read.`;
      throw new HalfsightError('broker-unavailable', message);
    }
    this.#lastNumber = Math.max(read, noted);
    this.#open = book.openOffsets(partition);
    this.#end = book.end(partition);
  }

  /** `original` goes back to its topic, and then `span` ends. */
  async settle(
    letter: Pick<Letter, 'offset' | 'frameId' | 'cameraId'>,
    original?: OutgoingRecord,
    span?: Span,
  ): Promise<void> {
    const bytes = original?.value.length ?? 0;
    const records = original === undefined ? 1 : 2;
    const isFull =
      this.#records.length + records > LIMITS.transactionRecordsMax ||
      this.#bytes + bytes > LIMITS.transactionBytesPerTopicMax;
    if (isFull && this.#records.length > 0) await this.#commit();
    this.#offsets.push(letter.offset);
    this.#records.push(this.#actionOn(letter), ...(original === undefined ? [] : [original]));
    this.#bytes += bytes;
    if (span !== undefined) this.#spans.push(span);
  }

  /** Commits what is left; how many letters were settled in all. */
  async finish(): Promise<number> {
    if (this.#records.length > 0) await this.#commit();
    return this.#settled;
  }

  close(): Promise<void> {
    return this.#options.transactor.close();
  }

  #actionOn({ offset, frameId, cameraId }: Parameters<Desk['settle']>[0]): OutgoingRecord {
    const { access, order, partition } = this.#options;
    const action: DeadLetterAction = {
      ...order,
      ...{ letterPartition: partition, letterOffset: offset, frameId },
      number: ++this.#lastNumber,
      timeUs: access.clock.nowUs(),
    };
    return {
      topic: access.topics.deadLetterActions.name,
      key: cameraId ?? 'unknown',
      value: encodeDeadLetterAction(action, access.framing),
      headers: {},
    };
  }

  async #commit(): Promise<void> {
    const { access, transactor } = this.#options;
    if (access.stopping.aborted) {
      throw new HalfsightError('usage-invalid', `stopped after ${this.#settled} letters.`);
    }
    const settled = new Set(this.#offsets);
    const open = this.#open.filter((offset) => !settled.has(offset));
    const note = `${this.#lastNumber} ${Math.floor(access.clock.nowUs() / 1000)}`;
    try {
      await transactor.commit(this.#records, open[0] ?? this.#end, note);
    } catch (error) {
      for (const span of this.#spans) span.fail(error);
      throw error;
    } finally {
      for (const span of this.#spans) span.end();
    }
    this.#open = open;
    this.#settled += settled.size;
    this.#offsets = [];
    this.#records = [];
    this.#spans = [];
    this.#bytes = 0;
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof HalfsightError)) return error;
  const isFenced = codeOf(error) === 'broker-fenced';
  const message = isFenced ? 'someone else deals with these letters just now.' : error.message;
  const advice =
    error.canRetry || isFenced
      ? 'Give the command again: no letter is settled twice.'
      : error.advice;
  return new HalfsightError(error.code, message, {
    ...(advice === undefined ? {} : { advice }),
    cause: error,
  });
}
