import type { Broker, Transactor } from '#runtime/broker.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import type { Framing } from '#schemas/framing.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { Cluster } from './broker/cluster.ts';
import type { LogRecord, PartitionLog } from './broker/partition-log.ts';
import type { CommittedTransaction } from './broker/transaction-coordinator.ts';

/** The key of a frame record in sets. */
export function placeOf(partition: number, offset: number): string {
  return `${partition} ${offset}`;
}

/**
 * The law of commit, first half: no position is committed before every delivery below it is
 * settled. Looks at each transaction in the moment in which it is decided: all frames between the
 * old position and the new one must be results of every head, or dead letters, by now.
 */
export class CommitLaw {
  readonly #cluster: Cluster;
  readonly #topics: TopicTable;
  readonly #framing: Framing;
  readonly #groupId: string;
  readonly #violate: (what: string) => void;
  readonly #answered = new Map<Task, Set<string>>(TASKS.map((task) => [task, new Set()]));
  /** By place, since not every record says which frame it is. */
  readonly #dead = new Set<string>();
  readonly #deadFrames = new Set<string>();
  readonly #positions = new Map<number, number>();
  /** How far result topics were read for results outside of transactions. */
  readonly #readTo = new Map<PartitionLog, number>();

  constructor(
    cluster: Cluster,
    topics: TopicTable,
    framing: Framing,
    groupId: string,
    violate: (what: string) => void,
  ) {
    this.#cluster = cluster;
    this.#topics = topics;
    this.#framing = framing;
    this.#groupId = groupId;
    this.#violate = violate;
  }

  onCommitted({ id, records, position }: CommittedTransaction): void {
    if (position === undefined || position.groupId !== this.#groupId) return;
    for (const { topic, record } of records) this.#enter(topic, record);
    const { partition, offset } = position;
    const before = this.#positions.get(partition) ?? 0;
    if (offset < before) this.#violate(`${id} moves the position back, ${before} to ${offset}`);
    this.#positions.set(partition, Math.max(offset, before));
    const log = this.#cluster.partition(this.#topics.frames.name, partition);
    for (const record of log.read(before, offset - before, true).records) {
      if (record.offset >= offset) break;
      if (this.#dead.has(placeOf(partition, record.offset))) continue;
      const frame = textOf(record.headers['frame-id']);
      if (frame !== undefined && this.#isAnswered(frame)) continue;
      const what = `${frame ?? 'a frame without a name'} at ${partition}:${record.offset}`;
      this.#violate(`${id} moves the position to ${offset}, but ${what} is not settled`);
      return;
    }
  }

  #isAnswered(frame: string): boolean {
    const isThere = () => TASKS.every((task) => this.#answered.get(task)?.has(frame));
    if (this.#deadFrames.has(frame) || isThere()) return true;
    this.#readResults();
    return isThere();
  }

  #readResults(): void {
    for (const task of TASKS) {
      const { name } = this.#topics.results[task];
      for (const log of this.#cluster.partitions(name)) {
        const slice = log.read(this.#readTo.get(log) ?? 0, Number.POSITIVE_INFINITY, true);
        this.#readTo.set(log, slice.nextOffset);
        for (const { headers } of slice.records) {
          this.#answered.get(task)?.add(textOf(headers['frame-id']) ?? '');
        }
      }
    }
  }

  #enter(topic: string, record: Pick<LogRecord, 'value' | 'headers'>): void {
    if (topic === this.#topics.deadLetters.name) {
      const letter = decodeDeadLetter(record.value, this.#framing);
      this.#dead.add(placeOf(letter.originPartition, letter.originOffset));
      // A second copy of the frame is left out, and is settled by that.
      if (letter.frameId !== null) this.#deadFrames.add(letter.frameId);
      return;
    }
    const task = TASKS.find((candidate) => this.#topics.results[candidate].name === topic);
    if (task === undefined) return;
    this.#answered.get(task)?.add(textOf(record.headers['frame-id']) ?? '');
  }
}

/**
 * The law of commit, second half: nothing is committed after revocation. Watches one process at its
 * broker port.
 */
export function watchCommits(broker: Broker, violate: (what: string) => void): Broker {
  let isRevoked = true;
  return {
    ...broker,
    openConsumer: (options) => {
      const consumer = broker.openConsumer(options);
      return {
        start: (handlers) =>
          consumer.start({
            onAssigned: (assignment) => {
              isRevoked = false;
              handlers.onAssigned(assignment);
            },
            onRevoked: () => {
              isRevoked = true;
              handlers.onRevoked();
            },
            onRecords: (records) => handlers.onRecords(records),
            onFailed: (error) => handlers.onFailed(error),
          }),
        pause: (topic, partition) => consumer.pause(topic, partition),
        resume: (topic, partition) => consumer.resume(topic, partition),
        stop: () => consumer.stop(),
      };
    },
    openTransactor: async (options) => {
      const transactor = await broker.openTransactor(options);
      return changeTransactor(transactor, {
        commit: (records, nextOffset, note) => {
          if (isRevoked) violate(`partition ${options.partition} is committed after revocation`);
          return transactor.commit(records, nextOffset, note);
        },
      });
    },
  };
}

/** The same transactor, some of its calls replaced. */
export function changeTransactor(
  transactor: Transactor,
  changes: Partial<Pick<Transactor, 'acquire' | 'commit'>>,
): Transactor {
  return {
    get note() {
      return transactor.note;
    },
    acquire: () => transactor.acquire(),
    commit: (records, nextOffset, note) => transactor.commit(records, nextOffset, note),
    close: () => transactor.close(),
    ...changes,
  };
}

function textOf(header: string | Uint8Array | undefined): string | undefined {
  return header === undefined ? undefined : Buffer.from(header).toString();
}
