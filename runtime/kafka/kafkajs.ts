import { createRequire } from 'node:module';
import type * as KafkaJs from 'kafkajs';
import { assert, defined } from '../assert.ts';
import { type Cancel, systemClock } from '../clock.ts';
import { LIMITS } from '../limits.ts';
import { encodeProduceRequest, type ProduceRequest } from './produce-request.ts';

/**
 * kafkajs 2.2.4 with its known bugs cured; the one file that loads it. The last release is of
 * February 2023, so the cures replace functions at import instead of waiting for a fix. README.md
 * beside this file tells each bug: symptom, cause, cure, and the test that fails without it.
 */

const require = createRequire(import.meta.url);
const VERSION = '2.2.4';

/** What the cures touch of kafkajs' own classes. */
interface RequestQueue {
  pending: unknown[];
  throttledUntil: number;
  readonly enforceRequestTimeout: boolean;
  readonly inflight: ReadonlyMap<number, SentRequest>;
  isConnected(): boolean;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  destroy(): void;
  /** Ours. */
  cancelTimeoutChecks?: Cancel;
}

interface SentRequest {
  /** Unix ms. */
  readonly sentAt: number;
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

interface ConsumerGroup {
  offsetManager: unknown;
  fetch(nodeId: number): Promise<object[]>;
}

interface Runner {
  handleBatch(batch: object): Promise<void>;
}

type BrokerUse = (use: { nodeId: string; broker: object }) => Promise<unknown>;

interface BrokerPool {
  withBroker(callback: BrokerUse): Promise<unknown>;
}

interface Encoded {
  readonly buffer: Buffer;
}

interface Request {
  readonly apiKey: number;
  readonly apiVersion: number;
  encode(): Promise<Encoded>;
}

interface OutgoingRequest {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: Request;
}

type WithHeader = (outgoing: OutgoingRequest) => Promise<Encoded>;

type CreateProduce = (options: ProduceRequest) => Request;

interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
}

interface AbortedTransaction {
  readonly firstOffset: string;
  readonly producerId: string;
}

/** What all clients of kafkajs are built on. */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  /** By the number of its node: which of the partitions it leads. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(node: { readonly nodeId: string }): Promise<KafkaNode>;
}

interface KafkaNode {
  fetch(request: {
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly isolationLevel: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly fetchOffset: string;
        readonly maxBytes: number;
      }[];
    }[];
  }): Promise<{ readonly responses: readonly { readonly partitions: readonly object[] }[] }>;
}

type CreateCluster = (options: { readonly allowAutoTopicCreation: boolean }) => KafkaCluster;

type Batch = KafkaJs.Batch & {
  /** Markers, and records of aborted transactions, too. */
  readonly messagesWithinOffset: readonly { readonly offset: string }[];
};

function internal<T>(path: string): T {
  return require(`kafkajs/src/${path}`) as T;
}

const found = (require('kafkajs/package.json') as { version: string }).version;
assert(found === VERSION, `the cures were made for kafkajs ${VERSION}, not for ${found}`);

// First: whoever is loaded after these has the new ones.
cureCopies();
cureAbortedRecords();
cureIdleSpin();
cureTimeoutChecks();
cureStaleBatches();
cureHiddenRefusals();

/** Cure A: with nothing pending, the request queue re-arms a timer of about 1 ms for ever. */
function cureIdleSpin(): void {
  const { prototype } = internal<{ prototype: RequestQueue }>('network/requestQueue/index.js');
  const original = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    const isThrottled = this.throttledUntil > systemClock.nowUs() / 1000;
    if (this.pending.length > 0 || isThrottled) original.call(this);
  };
}

/** Cure Q: each connection wakes the process ten times a second to look for late answers. */
function cureTimeoutChecks(): void {
  const { prototype } = internal<{ prototype: RequestQueue }>('network/requestQueue/index.js');
  const destroy = prototype.destroy;
  prototype.destroy = function (this: RequestQueue) {
    this.cancelTimeoutChecks?.();
    destroy.call(this);
  };
  prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue) {
    if (!this.enforceRequestTimeout) return;
    this.destroy();
    this.cancelTimeoutChecks = systemClock.every(LIMITS.requestTimeoutCheckMs, () => {
      const nowMs = systemClock.nowUs() / 1000;
      for (const request of [...this.inflight.values()]) {
        if (nowMs - request.sentAt > request.requestTimeout) request.timeoutRequest();
      }
      if (!this.isConnected()) this.destroy();
    });
  };
}

/** Puts something else in place of what a module exports, for those that are loaded later. */
function replace<T>(path: string, replacement: (original: T) => T): void {
  const original = internal<T>(path);
  const loaded = require.cache[require.resolve(`kafkajs/src/${path}`)];
  assert(loaded !== undefined, `kafkajs has no ${path}`);
  loaded.exports = replacement(original);
}

/** Cure B: read_committed shows records of aborted transactions. */
function cureAbortedRecords(): void {
  replace('consumer/filterAbortedMessages.js', () => withoutAborted);
}

/** Cure P: a record is copied nine times, into ever larger buffers, on its way to the socket. */
function cureCopies(): void {
  replace<CreateProduce>('protocol/requests/produce/v3/request.js', (original) => (options) => ({
    ...original(options),
    encode: async () => ({
      buffer: encodeProduceRequest(options, Math.floor(systemClock.nowUs() / 1000)),
    }),
  }));
  replace<WithHeader>('protocol/request.js', () => withHeader);
}

/** Any request, its header before its body: kafkajs writes it through two more buffers. */
async function withHeader({ correlationId, clientId, request }: OutgoingRequest): Promise<Encoded> {
  const { buffer: body } = await request.encode();
  const id = Buffer.from(clientId);
  const header = Buffer.allocUnsafe(14);
  header.writeInt32BE(10 + id.length + body.length, 0);
  header.writeInt16BE(request.apiKey, 4);
  header.writeInt16BE(request.apiVersion, 6);
  header.writeInt32BE(correlationId, 8);
  header.writeInt16BE(id.length, 12);
  return { buffer: Buffer.concat([header, id, body]) };
}

/**
 * The records of a fetch response that do not belong to an aborted transaction. Brokers send the
 * list of aborted transactions in no particular order, and several of them may begin before one
 * record, so the list is sorted and consumed as far as each offset reaches.
 */
export function withoutAborted<M extends FetchedMessage>(response: {
  readonly messages: readonly M[];
  readonly abortedTransactions?: readonly AbortedTransaction[] | null;
}): readonly M[] {
  const { messages, abortedTransactions } = response;
  if (!abortedTransactions || abortedTransactions.length === 0) return messages;
  const aborted = abortedTransactions
    .map((entry) => ({ first: BigInt(entry.firstOffset), producerId: String(entry.producerId) }))
    .sort((one, other) => Number(one.first - other.first));
  const open = new Set<string>();
  let next = 0;
  return messages.filter((message) => {
    const offset = BigInt(message.offset);
    for (let entry = aborted[next]; entry && entry.first <= offset; entry = aborted[++next]) {
      open.add(entry.producerId);
    }
    const producerId = String(message.batchContext.producerId);
    if (!message.isControlRecord) {
      return !(message.batchContext.inTransaction && open.has(producerId));
    }
    // Control records stay: kafkajs filters them itself, after moving its position past them.
    if (isAbortMarker(message.key)) open.delete(producerId);
    return true;
  });
}

/** Control record key: version int16, type int16; type 0 is abort. */
function isAbortMarker(key: Buffer | null): boolean {
  return key !== null && key.length >= 4 && key[2] === 0 && key[3] === 0;
}

/** Under which position bookkeeping (one per group generation) each batch was fetched. */
const origins = new WeakMap<object, { readonly group: ConsumerGroup; readonly manager: unknown }>();

/**
 * Cure C: a batch fetched before a rejoin is handled after it, and resolving it moves the position
 * of the *new* generation past records that were never handed out.
 */
function cureStaleBatches(): void {
  const group = internal<{ prototype: ConsumerGroup }>('consumer/consumerGroup.js').prototype;
  const fetch = group.fetch;
  group.fetch = async function (this: ConsumerGroup, nodeId: number) {
    const manager = this.offsetManager;
    const batches = await fetch.call(this, nodeId);
    for (const batch of batches) origins.set(batch, { group: this, manager });
    return batches;
  };
  const runner = internal<{ prototype: Runner }>('consumer/runner.js').prototype;
  const handleBatch = runner.handleBatch;
  runner.handleBatch = async function (this: Runner, batch: object) {
    if (!isStale(batch)) await handleBatch.call(this, batch);
  };
}

/** Whether the group has been joined anew since this batch was fetched. */
export function isStale(batch: object): boolean {
  const origin = origins.get(batch);
  return origin !== undefined && origin.group.offsetManager !== origin.manager;
}

/**
 * Cure J: a coordinator look-up that the broker refuses (no ACL for the group or the transactional
 * id) ends as "Failed to find group coordinator", like one that should be tried again.
 */
function cureHiddenRefusals(): void {
  const { prototype } = internal<{ prototype: BrokerPool }>('cluster/brokerPool.js');
  const original = prototype.withBroker;
  prototype.withBroker = async function (this: BrokerPool, callback: BrokerUse) {
    const refusals: unknown[] = [];
    const result = await original.call(this, (use) =>
      callback(use).catch((error: { readonly type?: string }) => {
        if (error.type?.endsWith('_AUTHORIZATION_FAILED')) refusals.push(error);
        throw error;
      }),
    );
    // Null: it has asked every broker in vain, and swallowed what they said.
    if (result === null && refusals.length > 0) throw refusals[0];
    return result;
  };
}

/** A client's way to the brokers without a group, which kafkajs has no client for. */
export function clusterOf(kafka: KafkaJs.Kafka): KafkaCluster {
  const name = 'private:Kafka:createCluster';
  const symbols = Object.getOwnPropertySymbols(kafka);
  const symbol = symbols.find(({ description }) => description === name);
  assert(symbol !== undefined, `kafkajs has no ${name}`);
  const create = (kafka as unknown as Record<symbol, CreateCluster>)[symbol];
  return defined(create, name)({ allowAutoTopicCreation: false });
}

/** A partition of a fetch response, without what readers of committed records are never shown. */
export function readBatch(topic: string, offset: number, partitionData: object): Batch {
  type BatchClass = new (topic: string, offset: string, partitionData: object) => Batch;
  return new (internal<BatchClass>('consumer/batch.js'))(topic, String(offset), partitionData);
}

// `import { Kafka } from 'kafkajs'` would find only some of its names (CommonJS name detection),
// and it must be loaded after the cures.
export const kafkajs = require('kafkajs') as typeof KafkaJs;
export type { KafkaJs };
