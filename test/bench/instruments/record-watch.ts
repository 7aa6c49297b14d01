import type { Broker, Consumer, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';

export interface RecordWatchOptions {
  readonly broker: Broker;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** `receivedUs`: when the fetch that it was in was handed out. */
  readonly onRecord: (record: IncomingRecord, receivedUs: number) => void;
}

/** A read-committed reader of what comes from now on. */
export class RecordWatch {
  readonly #consumer: Consumer;
  readonly #onRecord: RecordWatchOptions['onRecord'];

  constructor({ broker, groupId, topics, onRecord }: RecordWatchOptions) {
    this.#onRecord = onRecord;
    const options = { from: 'latest', readCommitted: true, commit: 'none' } as const;
    this.#consumer = broker.openConsumer({ groupId, topics, ...options });
  }

  async start(): Promise<void> {
    await this.#consumer.start({
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onRecords: (records) => {
        const receivedUs = systemClock.nowUs();
        for (const record of records) this.#onRecord(record, receivedUs);
      },
      onFailed: (error) => {
        throw error;
      },
    });
  }

  stop(): Promise<void> {
    return this.#consumer.stop();
  }
}
