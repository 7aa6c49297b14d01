import { expect, it } from 'vitest';
import { LIMITS } from '#runtime/limits.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import { TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { EPOCH, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { createTopics, openBroker, readResults, startInference } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const CAMERA = 'cam-1';

it('each poison record has its own reason, and the partition goes on', async () => {
  const { brokers, prefix } = sharedStack('poison');
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const tiny = await tinyFrames();
  const good = (sequence: number) => tiny.record(sequence);
  const flipped = (sequence: number, indexFromEnd: number) => {
    const bytes = Uint8Array.from(good(sequence));
    const index = bytes.length - indexFromEnd;
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    return bytes;
  };
  const unknownSchema = Uint8Array.from(good(3));
  unknownSchema.set([1, 2, 3, 4, 5, 6, 7, 8], 2);

  const poison: readonly (readonly [string, Uint8Array])[] = [
    ['record-truncated', good(1).subarray(0, good(1).length - 20)],
    ['bitstream-checksum-mismatch', flipped(2, 10)],
    ['schema-unknown', unknownSchema],
    ['bitstream-tables-unknown', tiny.record(4, { bitstream: tiny.foreignBitstream() })],
    ['record-too-large', new Uint8Array(LIMITS.frameRecordBytesMax + 1).fill(0xc3)],
    ['record-empty', new Uint8Array(0)],
  ];
  const values = [good(0), ...poison.map(([, value]) => value), good(poison.length + 1)];
  const producer = await broker.openProducer();
  for (const [sequence, value] of values.entries()) {
    const headers = { 'frame-id': frameId({ cameraId: CAMERA, epoch: EPOCH, sequence }) };
    await producer.send([{ topic: topics.frames.name, key: CAMERA, value, headers }]);
  }

  const consumer = startInference(brokers, prefix);
  const reader = await readResults(broker, topics, `${prefix}-reader`);
  await until(
    () => reader.deadLetters.length >= poison.length && reader.results.length >= 2 * TASKS.length,
    30_000,
    () => `${reader.deadLetters.length}, ${reader.results.length}\n${consumer.output()}`,
  );

  const letters = reader.deadLetters.map(({ value }) => decodeDeadLetter(value, tiny.framing));
  expect(letters.map(({ reason }) => reason)).toEqual(poison.map(([reason]) => reason));
  for (const [index, letter] of letters.entries()) {
    const [, value = new Uint8Array()] = poison[index] ?? [];
    expect(Buffer.compare(letter.originValue ?? new Uint8Array(), value)).toBe(0);
    expect(letter).toMatchObject({
      originTopic: topics.frames.name,
      originBytes: value.length,
      frameId: frameId({ cameraId: CAMERA, epoch: EPOCH, sequence: index + 1 }),
      cameraId: CAMERA,
      consumer: `${prefix}-inference`,
      bundleDigest: tiny.bundle.digest,
    });
  }
  const offsets = letters.map(({ originOffset }) => originOffset);
  expect(offsets).toEqual([1, 2, 3, 4, 5, 6]);
  expect(reader.results.map(({ sequence }) => sequence).sort()).toEqual([0, 0, 0, 7, 7, 7]);
  expect(await consumer.stop(), consumer.output()).toBe(0);
});
