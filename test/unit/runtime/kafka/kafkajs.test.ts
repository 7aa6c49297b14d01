import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { withoutAborted } from '#runtime/kafka/kafkajs.ts';

/**
 * Each cure against the original it replaces, on the same input. The originals run in processes of
 * their own, because in this one they are already replaced.
 */

const require = createRequire(import.meta.url);

function inPlainKafkajs(script: string): string {
  const cwd = import.meta.dirname;
  return execFileSync(process.execPath, ['-e', script], { cwd, encoding: 'utf8' }).trim();
}

function inCuredKafkajs(script: string): string {
  const load = "await import('#runtime/kafka/kafkajs.ts');";
  const prelude = "import { createRequire } from 'node:module';";
  const make = "const require = createRequire(process.cwd() + '/x.js');";
  const source = `${prelude}${load}${make}${script}`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  }).trim();
}

it('the cures are made for exactly this version', () => {
  expect((require('kafkajs/package.json') as { version: string }).version).toBe('2.2.4');
});

describe('cure A: an idle connection sets no timers', () => {
  /** Over a fifth of a second, and then until `isOver`. */
  const countTimers = (isOver: string) => `
    const { RequestQueue } = { RequestQueue: require('kafkajs/src/network/requestQueue/index.js') };
    const quiet = { debug() {}, error() {}, warn() {}, info() {} };
    const queue = new RequestQueue({
      instrumentationEmitter: { emit() {} }, logger: { namespace: () => quiet, ...quiet },
      requestTimeout: 1000, enforceRequestTimeout: false, clientId: 'x',
      broker: 'y', maxInFlightRequests: 1,
      isConnected: () => true,
    });
    let timers = 0;
    const original = globalThis.setTimeout;
    globalThis.setTimeout = (action, ms) => { timers++; return original(action, ms); };
    const endMs = Date.now() + 20_000;
    const look = () => {
      if (!(${isOver}) && Date.now() < endMs) return original(look, 20);
      console.log(timers);
      process.exit(0);
    };
    queue.scheduleCheckPendingRequests();
    original(look, 200);
  `;

  it('kafkajs as it comes re-arms one for ever', () => {
    expect(Number(inPlainKafkajs(countTimers('timers > 20')))).toBeGreaterThan(20);
  });

  it('cured, there is none', () => {
    expect(Number(inCuredKafkajs(countTimers('true')))).toBe(0);
  });
});

describe('cure B: aborted records stay hidden', () => {
  const record = (offset: number, producerId: string, inTransaction = true) => ({
    offset: String(offset),
    key: Buffer.from('k'),
    isControlRecord: false,
    batchContext: { producerId, inTransaction },
  });
  const marker = (offset: number, producerId: string, type: 0 | 1) => ({
    offset: String(offset),
    key: Buffer.from([0, 0, 0, type]),
    isControlRecord: true,
    batchContext: { producerId, inTransaction: true },
  });
  /**
   * Two aborted transactions open at the same time, listed by the broker in the order in which they
   * ended (8 before 7), and a committed one of producer 9 between them.
   */
  const messages = [
    record(0, '7'),
    record(1, '8'),
    record(2, '9'),
    record(3, '8'),
    marker(4, '8', 0),
    record(5, '7'),
    marker(6, '7', 0),
    marker(7, '9', 1),
    record(8, '7'),
    record(9, '5', false),
  ];
  const abortedTransactions = [
    { producerId: '8', firstOffset: '1' },
    { producerId: '7', firstOffset: '0' },
  ];
  const visible = (kept: readonly { offset: string; isControlRecord: boolean }[]) =>
    kept.filter((one) => !one.isControlRecord).map((one) => Number(one.offset));

  it('kafkajs as it comes shows some of them', () => {
    const input = JSON.stringify({ messages, abortedTransactions });
    const kept = inPlainKafkajs(`
      const filter = require('kafkajs/src/consumer/filterAbortedMessages.js');
      const input = ${input};
      for (const message of input.messages) message.key = Buffer.from(message.key.data);
      console.log(JSON.stringify(filter(input)));
    `);
    expect(visible(JSON.parse(kept))).not.toEqual([2, 8, 9]);
  });

  it('cured, exactly the committed ones are left', () => {
    expect(visible(withoutAborted({ messages, abortedTransactions }))).toEqual([2, 8, 9]);
    expect(withoutAborted({ messages, abortedTransactions: [] })).toBe(messages);
    expect(withoutAborted({ messages, abortedTransactions: null })).toBe(messages);
  });

  it('kafkajs uses the cured one', () => {
    const batch = require('kafkajs/src/consumer/filterAbortedMessages.js') as unknown;
    expect(batch).toBe(withoutAborted);
  });
});

describe('cure C: a batch does not outlive its generation', () => {
  const handleLate = `
    const Runner = require('kafkajs/src/consumer/runner.js');
    const ConsumerGroup = require('kafkajs/src/consumer/consumerGroup.js');
    const resolved = [];
    const manager = () => ({ resolveOffset: ({ offset }) => resolved.push(offset) });
    const message = { offset: '41' };
    const batch = {
      topic: 't', partition: 0, messages: [message], highWatermark: '50',
      offsetLag: () => '0', offsetLagLow: () => '0', firstOffset: () => '41',
      lastOffset: () => '41',
      isEmptyDueToFiltering: () => false, isEmpty: () => false,
    };
    const group = Object.create(ConsumerGroup.prototype);
    Object.assign(group, {
      offsetManager: manager(),
      cluster: { refreshMetadataIfNecessary: async () => { throw { name: 'x' } } },
      recoverFromFetch: async () => undefined,
      heartbeat: async () => undefined,
    });
    const original = ConsumerGroup.prototype.fetch;
    const runner = Object.create(Runner.prototype);
    Object.assign(runner, {
      running: true, consumerGroup: group, autoCommit: false, eachBatchAutoResolve: false,
      instrumentationEmitter: { emit() {} }, heartbeat: async () => undefined,
      eachBatch: async ({ resolveOffset }) => resolveOffset('41'),
    });
    group.subscriptionState = { assigned: () => { throw { name: 'x' } } };
    // The response arrives with one batch ...
    group.recoverFromFetch = async () => undefined;
    const fetched = await group.fetch(1);
    fetched.push(batch);
    REMEMBER
    // ... and before it is handled the group is joined anew: a new bookkeeping of positions.
    group.offsetManager = manager();
    await runner.handleBatch(batch);
    console.log(JSON.stringify(resolved));
  `;

  it('kafkajs as it comes moves the position of the new generation', () => {
    const script = handleLate.replace('REMEMBER', '');
    expect(inPlainKafkajs(`(async () => {${script}})()`)).toBe('["41"]');
  });

  it('cured, the late batch is dropped and will be fetched again', () => {
    // The cure learns of a batch when fetch returns it; so the fetch below the cure returns it.
    const script = handleLate.replace('const original = ConsumerGroup.prototype.fetch;', '');
    const below = `
      const CG = require('kafkajs/src/consumer/consumerGroup.js');
      globalThis.lateBatches = [];
      CG.prototype.fetch = async function () { return globalThis.lateBatches; };
    `;
    const cured = execFileSync(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createRequire } from 'node:module';
         const require = createRequire(process.cwd() + '/x.js');
         ${below}
         await import('#runtime/kafka/kafkajs.ts');
         ${script
           .replace('const fetched = await group.fetch(1);', '')
           .replace('fetched.push(batch);', 'globalThis.lateBatches.push(batch);')
           .replace('REMEMBER', 'await group.fetch(1);')}`,
      ],
      { cwd: import.meta.dirname, encoding: 'utf8' },
    ).trim();
    expect(cured).toBe('[]');
  });
});

describe('cure J: a refused look-up of a coordinator says so', () => {
  const lookUp = `
    const Cluster = require('kafkajs/src/cluster/index.js');
    const BrokerPool = require('kafkajs/src/cluster/brokerPool.js');
    const quiet = { debug() {}, error() {}, warn() {}, info() {} };
    const refusal = Object.assign(new Error('no ACL'), { type: 'GROUP_AUTHORIZATION_FAILED' });
    const broker = {
      isConnected: () => true,
      findGroupCoordinator: async () => { throw Object.assign(refusal, { retriable: false }); },
    };
    const pool = Object.assign(Object.create(BrokerPool.prototype), { brokers: { 1: broker } });
    const cluster = Object.assign(Object.create(Cluster.prototype), {
      brokerPool: pool, logger: quiet,
      retrier: (call) => new Promise((resolve, reject) => call(reject, 0, 0).then(resolve, reject)),
    });
    cluster.findGroupCoordinatorMetadata({ groupId: 'g', coordinatorType: 0 })
      .catch((error) => console.log(error.type ?? error.name));
  `;

  it('kafkajs as it comes hides it', () => {
    expect(inPlainKafkajs(lookUp)).toBe('KafkaJSGroupCoordinatorNotFound');
  });

  it('cured, it is told', () => {
    expect(inCuredKafkajs(lookUp)).toBe('GROUP_AUTHORIZATION_FAILED');
  });
});

describe('cure P: a record is not copied from buffer to buffer', () => {
  const RECORDS = 10;
  const RECORD_BYTES = 4000;
  const send = `
    const { createHash } = require('node:crypto');
    const Connection = require('kafkajs/src/network/connection.js');
    const { protocol } = require('kafkajs/src/protocol/requests/produce/index.js');
    Date.now = () => 1_790_000_000_000;
    let allocated = 0;
    const { alloc } = Buffer;
    Buffer.alloc = (size) => { allocated += size; return alloc(size); };
    const message = { key: 'gate', value: alloc(${RECORD_BYTES}, 7), headers: { 'frame-id': 'x' } };
    const messages = Array.from({ length: ${RECORDS} }, () => message);
    const { request } = protocol({ version: 7 })({
      acks: -1, timeout: 30000, producerId: '9', producerEpoch: 1,
      topicData: [{ topic: 'frames', partitions: [{ partition: 2, firstSequence: 5, messages }] }],
    });
    const tell = (bytes) => console.log(JSON.stringify({
      sha256: createHash('sha256').update(bytes).digest('hex'), allocated,
    }));
    Connection.prototype.send.call({
      clientId: 'camera', isAuthenticated: () => true, failIfNotConnected() {}, logDebug() {},
      nextCorrelationId: () => 3, socket: { write: tell },
      requestQueue: { push: ({ sendRequest }) => sendRequest() },
    }, { request });
  `;

  it('kafkajs as it comes takes ten times what it sends; cured, the same bytes cost none', () => {
    const plain = JSON.parse(inPlainKafkajs(send));
    const cured = JSON.parse(inCuredKafkajs(send));
    expect(plain.allocated).toBeGreaterThan(10 * RECORDS * RECORD_BYTES);
    expect(cured).toEqual({ sha256: plain.sha256, allocated: 0 });
  });
});

describe('cure Q: a connection seldom wakes the process to look for late answers', () => {
  /** Two requests, one of which has waited for too long; the connection closes after 1,600 ms. */
  const look = `
    const RequestQueue = require('kafkajs/src/network/requestQueue/index.js');
    const quiet = { debug() {}, error() {}, warn() {}, info() {} };
    const queue = new RequestQueue({
      logger: { namespace: () => quiet, ...quiet }, requestTimeout: 10000,
      enforceRequestTimeout: true, clientId: 'x', broker: 'y', maxInFlightRequests: 9,
      isConnected: () => true,
    });
    let looks = 0;
    const original = globalThis.setInterval;
    globalThis.setInterval = (action, ms) => original(() => { looks++; action(); }, ms);
    const late = [];
    const sent = (name, agoMs) => ({
      sentAt: Date.now() - agoMs, requestTimeout: 10000,
      timeoutRequest() { if (!late.includes(name)) late.push(name); },
    });
    queue.inflight.set(1, sent('late', 10001));
    queue.inflight.set(2, sent('recent', 1000));
    queue.scheduleRequestTimeoutCheck();
    setTimeout(() => queue.destroy(), 1600);
    process.on('exit', () => console.log(JSON.stringify({ looks, late })));
  `;

  it('kafkajs as it comes looks ten times a second; cured, once, and finds the same', () => {
    const plain = JSON.parse(inPlainKafkajs(look));
    const cured = JSON.parse(inCuredKafkajs(look));
    expect(plain.looks).toBeGreaterThan(4);
    expect(cured.looks).toBe(1);
    expect(plain.late).toEqual(['late']);
    expect(cured.late).toEqual(['late']);
  });

  it('a connection that was lost is looked at no more', () => {
    const lost = look.replace('isConnected: () => true', 'isConnected: () => false');
    const ended = lost.replace(/setTimeout\(.*1600\);/, '');
    expect(JSON.parse(inCuredKafkajs(ended)).looks).toBe(1);
  });
});
