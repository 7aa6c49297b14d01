/**
 * The broker port: the few calls that Halfsight needs of Kafka. `runtime/kafka/` implements it;
 * nothing else may import a Kafka client.
 */

/** A record to be written. The partition follows from the key (murmur2, as Kafka's own clients). */
export interface OutgoingRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Headers of someone else that are handed on byte for byte. */
  readonly rawHeaders?: Readonly<Record<string, Uint8Array>>;
}

/**
 * A record as fetched. `key`, `value` and `headers` are copies: holding one never pins the whole
 * fetch response.
 */
export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Null for a tombstone. */
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, Uint8Array>>;
  /** Broker or producer time, milliseconds since the Unix epoch. */
  readonly timestampMs: number;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitionCount: number;
  readonly replicationFactor: number;
  /** Topic settings as Kafka names them, for example `retention.ms`. */
  readonly settings: Readonly<Record<string, string>>;
}

/** How a topic on the broker differs from its spec, and what was done about it. */
export interface TopicDifference {
  readonly topic: string;
  /** The setting's Kafka name, or `partitions`, `replication`, or `topic` when it was missing. */
  readonly setting: string;
  readonly wanted: string;
  readonly found: string | undefined;
  /** `manual`: would lose order or data (fewer partitions, say), so a person must do it. */
  readonly action: 'created' | 'altered' | 'manual';
}

/** Where the broker has put the first record of a request for one partition. */
export interface AppendedAt {
  readonly topic: string;
  readonly partition: number;
  readonly baseOffset: number;
}

/**
 * An idempotent producer, acks=all. `send` resolves when every record is acknowledged; it rejects
 * with `publish-failed` when the broker stayed away, in which case none, some or all were written.
 * Records of one key keep the order of the `send` calls, also when calls overlap.
 */
export interface Producer {
  /**
   * `onAppended` is called before it resolves: for each partition, and each request that it took;
   * not where the broker recognised a repetition and no longer knew where the first one is.
   */
  send(
    records: readonly OutgoingRecord[],
    onAppended?: (appended: AppendedAt) => void,
  ): Promise<void>;
  close(): Promise<void>;
}

/**
 * The exactly-once writer of one input partition: results and the input's position move in one
 * Kafka transaction. The transactional id is tied to the input partition, so whoever acquires it
 * last fences everyone before (KIP-98).
 */
export interface Transactor {
  /**
   * Fences every earlier holder, waits until its transaction is settled, and returns the committed
   * position: the offset of the next record to process, or undefined if none was ever committed.
   * Must be called before the first `commit` and again after any failed one.
   */
  acquire(): Promise<number | undefined>;
  /**
   * Writes `records` and moves the position to `nextOffset`, all or nothing. On rejection the
   * outcome is unknown: `acquire` tells. Rejects with `broker-fenced` when someone else has
   * acquired since. `note` is committed with the position: Kafka's offset metadata, which may have
   * 4096 bytes.
   */
  commit(records: readonly OutgoingRecord[], nextOffset: number, note?: string): Promise<void>;
  /** The note that came with the position which `acquire` returned last. */
  readonly note?: string | undefined;
  /**
   * Also ends an `acquire` or `commit` under way: nothing is sent, and nobody fenced, afterwards.
   */
  close(): Promise<void>;
}

export interface TransactorOptions {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
}

export interface ConsumerHandlers {
  /**
   * The group has (re)balanced: these are now our partitions, all of them, by topic. Everything
   * fetched before belongs to an earlier generation, also for partitions that we keep: they are
   * fetched again from their committed position.
   */
  onAssigned(assignment: ReadonlyMap<string, readonly number[]>): void;
  /**
   * Our partitions are being taken; nothing may be committed from now until `onAssigned`. Comes
   * once before each further `onAssigned`, when the consumer is stopped, and before `onFailed`.
   */
  onRevoked(): void;
  /**
   * Records of one partition in offset order, without transaction markers. Best returns soon: take
   * the records into a queue, `pause` when that is full. While a promise is pending the membership
   * is kept, but nothing more is fetched from the same broker. A rebalance does not wait for it:
   * `onAssigned`, and records of the new generation, may come before it settles. A rejection ends
   * the consumer: `onFailed` with that error, the position before these records.
   */
  onRecords(records: readonly IncomingRecord[]): void | Promise<void>;
  /**
   * All records of the partition from its position up to `offset` have been handed out in this
   * generation. Comes after `onRecords`, and where there is nothing to hand out: Kafka shows nobody
   * the markers of transactions, nor a committed reader the records of aborted ones.
   */
  onReached?(topic: string, partition: number, offset: number): void;
  /** The consumer has stopped for good with an error that it could not recover from. */
  onFailed(error: Error): void;
}

export interface ConsumerOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Where to start in a partition without a committed position. */
  readonly from: 'earliest' | 'latest';
  /** Hide records of aborted and open transactions. */
  readonly readCommitted: boolean;
  /**
   * `none`: positions are committed elsewhere (a Transactor) or never.
   * `after-records`: the position is committed once `onRecords` has resolved (at least once).
   */
  readonly commit: 'none' | 'after-records';
}

export interface Consumer {
  /** Resolves once the group was joined for the first time. */
  start(handlers: ConsumerHandlers): Promise<void>;
  /**
   * At once: what was fetched already and not handed out comes again after `resume`. A pause ends
   * with the generation: each `onAssigned` begins unpaused.
   */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /**
   * Calls `onRevoked`, lets an `onRecords` under way finish (for a while), and leaves the group; no
   * handler is called after it resolves.
   */
  stop(): Promise<void>;
}

export interface PartitionOffsets {
  readonly partition: number;
  readonly low: number;
  /** Offset after the last record (the high watermark). */
  readonly high: number;
}

/** What one fetch of a partition brings. */
export interface FetchRequest {
  readonly topic: string;
  readonly partition: number;
  /** Where there is nothing any more because Kafka has deleted it, the oldest record is next. */
  readonly offset: number;
  /** About so many; the first records come whatever their size. */
  readonly bytesMax: number;
}

export interface FetchedSlice {
  /** Committed ones, from the offset on. */
  readonly records: readonly IncomingRecord[];
  /**
   * Where to go on, behind markers and aborted records too. The offset that was asked for: there is
   * nothing more so far.
   */
  readonly nextOffset: number;
}

export interface Broker {
  /** Creates what is missing, alters settings that differ, and says what it did or could not do. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<TopicDifference[]>;
  /** Throws `topic-missing` with advice for a topic that does not exist. */
  partitionCount(topic: string): Promise<number>;
  offsets(topic: string): Promise<PartitionOffsets[]>;
  /**
   * By partition: the offset of the first record with this time, in milliseconds since the Unix
   * epoch, or a later one; where there is none, the offset after the last record.
   */
  offsetsAt(topic: string, timestampMs: number): Promise<ReadonlyMap<number, number>>;
  committedOffsets(groupId: string, topic: string): Promise<ReadonlyMap<number, number>>;
  /**
   * Ids of the members of a consumer group, none where there is no such group. Whoever joins gets
   * an id that nobody had; one that was killed is there until its session is over.
   */
  groupMembers(groupId: string): Promise<readonly string[]>;
  /** A look at what is stored, outside of any group: it waits for no record and leaves no trace. */
  fetch(request: FetchRequest): Promise<FetchedSlice>;
  openProducer(): Promise<Producer>;
  openTransactor(options: TransactorOptions): Promise<Transactor>;
  openConsumer(options: ConsumerOptions): Consumer;
  /** Closes what was opened through this broker and is still open. */
  close(): Promise<void>;
}

/** How to reach the brokers; read from the environment by `runtime/settings.ts`. */
export interface BrokerSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls:
    | { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string }
    | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}
