import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c } from '#runtime/crc.ts';
import { encodeProduceRequest, type ProduceRequest } from '#runtime/kafka/produce-request.ts';

const require = createRequire(import.meta.url);

/**
 * Something of kafkajs as it comes, in a copy of its own: in the process of the tests another file
 * may have loaded it with our cures.
 */
function plainKafkajs(path: string): unknown {
  const cured = forgetKafkajs();
  const loaded: unknown = require(`kafkajs/src/protocol/${path}`);
  forgetKafkajs();
  for (const [file, module] of cured) require.cache[file] = module;
  return loaded;
}

/** What there was of it in the cache of modules. */
function forgetKafkajs() {
  const own = Object.entries(require.cache).filter(([file]) => file.includes('/kafkajs/'));
  for (const [file] of own) delete require.cache[file];
  return own;
}

const kafkajsCrc = plainKafkajs('recordBatch/crc32C/index.js') as (bytes: Buffer) => number;
const kafkajsRequest = plainKafkajs('requests/produce/v3/request.js') as (request: object) => {
  encode(): Promise<{ readonly buffer: Buffer }>;
};

const TIMESTAMP_MS = 1_790_000_000_000;

async function byKafkajs(request: ProduceRequest): Promise<Buffer> {
  const topicData = request.topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((data) => ({
      ...data,
      messages: data.messages.map((message) => ({ ...message, timestamp: TIMESTAMP_MS })),
    })),
  }));
  return (await kafkajsRequest({ ...request, topicData }).encode()).buffer;
}

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength, size: 'max' }).map((array) => Buffer.from(array));
const text = fc.string({ unit: 'grapheme', maxLength: 40 });

const message = fc.record(
  {
    key: fc.oneof(text, bytes(20), fc.constant(null)),
    value: fc.oneof(text, bytes(10_000), fc.constant(null)),
    headers: fc.dictionary(text, fc.oneof(text, bytes(200)), { maxKeys: 4 }),
  },
  { requiredKeys: ['value'] },
);

const partition = fc.record({
  partition: fc.nat(1000),
  firstSequence: fc.nat(),
  messages: fc.array(message, { minLength: 1, maxLength: 70, size: 'small' }),
});

const request: fc.Arbitrary<ProduceRequest> = fc.record({
  transactionalId: fc.option(fc.constantFrom('inference-frames-3', 'ø'), { nil: undefined }),
  acks: fc.constant(-1),
  timeout: fc.nat(),
  producerId: fc.bigInt(0n, 2n ** 63n - 1n).map(String),
  producerEpoch: fc.nat(2 ** 15 - 1),
  topicData: fc.array(
    fc.record({ topic: text, partitions: fc.array(partition, { maxLength: 3 }) }),
    { maxLength: 3 },
  ),
});

it('is byte for byte what kafkajs writes', async () => {
  await fc.assert(
    fc.asyncProperty(request, async (any) => {
      expect(encodeProduceRequest(any, TIMESTAMP_MS).equals(await byKafkajs(any))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

it('refuses what it would write otherwise than kafkajs', () => {
  const of = (message: object, compression = 0) => {
    const partitions = [{ partition: 0, firstSequence: 0, messages: [message as never] }];
    const topicData = [{ topic: 'frames', partitions }];
    const producer = { producerId: '-1', producerEpoch: 0 };
    return () =>
      encodeProduceRequest(
        { acks: -1, timeout: 1, compression, ...producer, topicData },
        TIMESTAMP_MS,
      );
  };
  expect(of({ value: 'plain' })).not.toThrow();
  expect(of({ value: 'timed', timestamp: '1' })).toThrow('time of a record');
  expect(of({ value: 'listed', headers: { name: ['a', 'b'] } })).toThrow('one value');
  expect(of({ value: 'small' }, 1)).toThrow('uncompressed');
});

it('has the lengths of many and of large records', async () => {
  const large = { key: 'gate', value: Buffer.alloc(300_000, 7), headers: {} };
  const many = Array.from({ length: 9000 }, () => ({ ...large, value: Buffer.alloc(20, 1) }));
  const of = (messages: readonly (typeof large)[]): ProduceRequest => ({
    acks: -1,
    timeout: 30_000,
    producerId: '-1',
    producerEpoch: 0,
    topicData: [{ topic: 'frames', partitions: [{ partition: 3, firstSequence: 0, messages }] }],
  });
  for (const any of [of([large]), of(many), of([large, ...many])]) {
    expect(encodeProduceRequest(any, TIMESTAMP_MS).equals(await byKafkajs(any))).toBe(true);
  }
});

it('computes the CRC that kafkajs does', () => {
  fc.assert(
    fc.property(bytes(100), (any) => {
      expect(crc32c(any)).toBe(kafkajsCrc(any));
    }),
  );
  // RFC 3720, B.4: 32 bytes of zeros.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});
