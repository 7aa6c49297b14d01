import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import type { GroupPosition, GroupPositions } from './group-positions.ts';
import type { LoggedTransaction, LogRecord, PartitionLog } from './partition-log.ts';

/** What a holder says of itself with every request. */
export interface Holder {
  readonly id: string;
  readonly epoch: number;
}

/** A position that a transaction moves when it commits. */
export interface PendingPosition extends GroupPosition {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
}

/** A transaction as it was decided, for whoever watches the laws. */
export interface CommittedTransaction {
  readonly id: string;
  readonly records: readonly { readonly topic: string; readonly record: LogRecord }[];
  readonly position: PendingPosition | undefined;
}

interface TransactionalId {
  epoch: number;
  state: 'empty' | 'ongoing' | 'settling';
  /** Counts transactions, so that a time-out knows whether its own still runs. */
  number: number;
  parts: Map<PartitionLog, LoggedTransaction>;
  records: { readonly topic: string; readonly record: LogRecord }[];
  position: PendingPosition | undefined;
}

/** How long the markers of a transaction take to reach the partitions. */
const MARKER_DELAY_MS_MAX = 30;

/**
 * The broker's side of transactions (KIP-98).
 *
 *   empty --begin--> ongoing --end, time-out, a new holder--> settling --markers--> empty
 *
 * The outcome is decided when `settling` begins, and answered then; the markers follow, each
 * partition in its own time, and the position with them. Until the last is there, the next holder
 * and the next transaction hear "not yet".
 */
export class TransactionCoordinator {
  readonly #ids = new Map<string, TransactionalId>();
  readonly #positions: GroupPositions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onCommitted: (transaction: CommittedTransaction) => void;
  readonly #count: (name: string) => void;

  constructor(
    positions: GroupPositions,
    clock: Clock,
    random: Random,
    onCommitted: (transaction: CommittedTransaction) => void,
    count: (name: string) => void,
  ) {
    this.#positions = positions;
    this.#clock = clock;
    this.#random = random;
    this.#onCommitted = onCommitted;
    this.#count = count;
  }

  /** InitProducerId: fences every holder before. */
  init(id: string): Holder | 'not-yet' {
    const state = this.#ids.get(id) ?? newId();
    this.#ids.set(id, state);
    if (state.state === 'settling') return 'not-yet';
    state.epoch++;
    if (state.state === 'ongoing') {
      this.#settle(id, state, false);
      return 'not-yet';
    }
    return { id, epoch: state.epoch };
  }

  /** The first request of a transaction: the position it will move. */
  begin(holder: Holder, position: PendingPosition): 'begun' | 'not-yet' {
    const state = this.#stateOf(holder);
    if (state.state === 'settling') return 'not-yet';
    if (state.state === 'empty') {
      state.state = 'ongoing';
      const number = ++state.number;
      this.#clock.after(LIMITS.transactionTimeoutMs, () => {
        if (state.number !== number || state.state !== 'ongoing') return;
        this.#count('transaction-timed-out');
        state.epoch++;
        this.#settle(holder.id, state, false);
      });
    }
    state.position = position;
    return 'begun';
  }

  write(holder: Holder, log: PartitionLog, records: readonly LogRecord[]): void {
    const state = this.#stateOf(holder);
    if (state.state !== 'ongoing') throw notInThisState(holder.id);
    const part: LoggedTransaction = state.parts.get(log) ?? { state: 'open' };
    state.parts.set(log, part);
    log.append(records, part);
    state.records.push(...records.map((record) => ({ topic: log.topic, record })));
  }

  end(holder: Holder, isCommit: boolean): void {
    const state = this.#stateOf(holder);
    if (state.state !== 'ongoing') throw notInThisState(holder.id);
    this.#settle(holder.id, state, isCommit);
  }

  #settle(id: string, state: TransactionalId, isCommit: boolean): void {
    state.state = 'settling';
    const { parts, position, records } = state;
    state.parts = new Map();
    state.position = undefined;
    state.records = [];
    if (isCommit) this.#onCommitted({ id, records, position });
    let left = parts.size + 1;
    const arrived = (action: () => void) => () => {
      action();
      if (--left === 0) state.state = 'empty';
    };
    for (const [log, part] of parts) {
      const mark = () => log.mark(part, isCommit ? 'committed' : 'aborted');
      this.#clock.after(this.#markerDelayMs(), arrived(mark));
    }
    const move = () => {
      if (isCommit && position !== undefined) this.#positions.move(position);
    };
    this.#clock.after(this.#markerDelayMs(), arrived(move));
  }

  #stateOf({ id, epoch }: Holder): TransactionalId {
    const state = this.#ids.get(id);
    if (state?.epoch === epoch) return state;
    this.#count('holder-fenced');
    throw new HalfsightError('broker-fenced', `epoch ${epoch} of ${id} is over.`);
  }

  #markerDelayMs(): number {
    return this.#random.integer(MARKER_DELAY_MS_MAX);
  }
}

function newId(): TransactionalId {
  return {
    epoch: 0,
    state: 'empty',
    number: 0,
    parts: new Map(),
    records: [],
    position: undefined,
  };
}

/** INVALID_TXN_STATE, which the adapter takes for a broker that may do better next time. */
function notInThisState(id: string): HalfsightError {
  return new HalfsightError('broker-unavailable', `no transaction of ${id} is under way.`);
}
