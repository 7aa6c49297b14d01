import type { FetchedSlice, FetchRequest } from '../broker.ts';
import { HalfsightError } from '../errors.ts';
import type { Cuttable } from './client.ts';
import { toIncoming } from './incoming-record.ts';
import { errorType, toHalfsightError } from './kafka-error.ts';
import { type KafkaCluster, readBatch } from './kafkajs.ts';

export type ReaderClient = KafkaCluster & Cuttable;

export interface ReaderOptions {
  readonly createClient: () => ReaderClient;
  /** Rejects with `topic-missing` for a topic that does not exist. */
  readonly partitionCount: (topic: string) => Promise<number>;
  /** Offset of the oldest record of a partition. */
  readonly oldest: (topic: string, partition: number) => Promise<number>;
}

const READ_COMMITTED = 1;

/** Fetches outside of any group. Connects on first use; a client that failed is replaced. */
export class KafkaReader {
  readonly #options: ReaderOptions;
  #client: ReaderClient | undefined;
  #connecting: Promise<ReaderClient> | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  async fetch(request: FetchRequest): Promise<FetchedSlice> {
    const { topic, partition, offset } = request;
    await this.#options.partitionCount(topic);
    try {
      return await this.#tryTwice(request);
    } catch (error) {
      if (errorType(error) !== 'OFFSET_OUT_OF_RANGE') throw error;
      const oldest = await this.#options.oldest(topic, partition);
      if (offset >= oldest) return { records: [], nextOffset: offset };
      return await this.#tryTwice({ ...request, offset: oldest });
    }
  }

  async close(): Promise<void> {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    await connecting?.then((client) => client.disconnect()).catch(() => undefined);
    this.#client?.cut();
  }

  /** A leader may have moved, or a connection been closed, since the last time. */
  async #tryTwice(request: FetchRequest): Promise<FetchedSlice> {
    try {
      return await this.#try(request);
    } catch (error) {
      if (!(error instanceof HalfsightError && error.canRetry)) throw error;
      return await this.#try(request);
    }
  }

  async #try(request: FetchRequest): Promise<FetchedSlice> {
    this.#connecting ??= this.#connect();
    const connecting = this.#connecting;
    try {
      return await fetchFrom(await connecting, request);
    } catch (error) {
      if (errorType(error) === 'OFFSET_OUT_OF_RANGE') throw error;
      if (this.#connecting === connecting) await this.close();
      throw toHalfsightError(error, `reading ${request.topic}`);
    }
  }

  async #connect(): Promise<ReaderClient> {
    const client = this.#options.createClient();
    this.#client = client;
    await client.connect();
    return client;
  }
}

async function fetchFrom(
  client: KafkaCluster,
  { topic, partition, offset, bytesMax }: FetchRequest,
): Promise<FetchedSlice> {
  await client.addTargetTopic(topic);
  const [nodeId] = Object.keys(client.findLeaderForPartitions(topic, [partition]));
  if (nodeId === undefined) {
    const message = `partition ${partition} of ${topic} has no leader.`;
    throw new HalfsightError('broker-unavailable', message);
  }
  const node = await client.findBroker({ nodeId });
  const { responses } = await node.fetch({
    ...{ maxWaitTime: 0, minBytes: 0, maxBytes: bytesMax, isolationLevel: READ_COMMITTED },
    topics: [
      { topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: bytesMax }] },
    ],
  });
  const data = responses[0]?.partitions[0];
  if (data === undefined) return { records: [], nextOffset: offset };
  const batch = readBatch(topic, offset, data);
  const last = batch.messagesWithinOffset.at(-1);
  return {
    records: batch.messages.map((message) => toIncoming(topic, partition, message)),
    nextOffset: last === undefined ? offset : Number(last.offset) + 1,
  };
}
