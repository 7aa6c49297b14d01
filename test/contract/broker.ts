import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppendedAt } from '#runtime/broker.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import {
  type BrokerOnTrial,
  type Check,
  KEYS,
  Lab,
  numbers,
  PARTITIONS,
  record,
  textOf,
} from './broker-lab.ts';
import { consumerChecks } from './consumer-checks.ts';

/**
 * What the pipeline relies on of the broker port, as a suite: every implementation must pass it,
 * the fake of the simulation included, or what the simulation says would be about another Kafka.
 * How the port behaves when brokers die is tried in test/integration/, on real ones.
 */
export function brokerContract(open: () => BrokerOnTrial): void {
  let trial: BrokerOnTrial;
  beforeAll(() => {
    trial = open();
  });
  afterAll(() => trial.drive(trial.broker.close()));

  const check = (name: string, body: (lab: Lab) => Promise<void>) =>
    it(name, () => trial.drive(body(new Lab(trial))));

  describe('topics', () => topicChecks(check));
  describe('producer', () => producerChecks(check));
  describe('transactor', () => transactorChecks(check));
  describe('consumer', () => consumerChecks(check));
}

function topicChecks(check: Check): void {
  check('creates what is missing, alters what differs, and never moves partitions', async (lab) => {
    const spec = lab.spec({ 'retention.ms': '3600000' });
    expect(await lab.broker.ensureTopics([spec])).toMatchObject([{ action: 'created' }]);
    expect(await lab.broker.ensureTopics([spec])).toEqual([]);
    const changed = { ...spec, partitionCount: 8, settings: { 'retention.ms': '7200000' } };
    const differences = await lab.broker.ensureTopics([changed]);
    const altered = { setting: 'retention.ms', found: '3600000', action: 'altered' };
    expect(differences).toContainEqual(expect.objectContaining(altered));
    const manual = { setting: 'partitions', wanted: '8', found: '4', action: 'manual' };
    expect(differences).toContainEqual(expect.objectContaining(manual));
    expect(await lab.broker.partitionCount(spec.name)).toBe(PARTITIONS);
  });

  check('a topic that does not exist is missing for everyone', async (lab) => {
    const { name } = lab.spec();
    const missing = { code: 'topic-missing' };
    await expect(lab.broker.partitionCount(name)).rejects.toMatchObject(missing);
    await expect(lab.broker.offsets(name)).rejects.toMatchObject(missing);
    await expect(lab.broker.offsetsAt(name, 0)).rejects.toMatchObject(missing);
    await expect(lab.member({ topics: [name] }).start()).rejects.toMatchObject(missing);
  });
}

function producerChecks(check: Check): void {
  check(
    'keeps the order of overlapping sends of one key, in the partition of the key',
    async (lab) => {
      const topic = await lab.topic();
      const producer = await lab.broker.openProducer();
      const sends = numbers(30).map((text) =>
        producer.send(KEYS.map((key) => record(topic, key, text))),
      );
      await Promise.all(sends);
      const reader = lab.member({ topics: [topic] });
      await reader.start();
      const count = 30 * KEYS.length;
      await lab.until(() => reader.records.length >= count, 'all records');
      await reader.consumer.stop();
      await producer.close();
      expect(reader.records).toHaveLength(count);
      for (const key of KEYS) {
        const ofKey = reader.records.filter((one) => one.key === key);
        expect(ofKey.map(textOf)).toEqual(numbers(30));
        expect(new Set(ofKey.map(({ partition }) => partition))).toEqual(
          new Set([partitionOf(key, PARTITIONS)]),
        );
        expect(Buffer.from(ofKey[7]?.headers['frame-id'] ?? []).toString()).toBe(`${key}-7`);
      }
    },
  );

  check('hands headers on, as text and byte for byte', async (lab) => {
    const topic = await lab.topic();
    const rawHeaders = { raw: Uint8Array.of(0, 255, 128) };
    await lab.send([{ ...record(topic, 'gate', '1'), rawHeaders }]);
    const reader = lab.member({ topics: [topic] });
    await reader.start();
    await lab.until(() => reader.records.length > 0, 'the record');
    await reader.consumer.stop();
    const { raw, 'frame-id': text } = reader.records[0]?.headers ?? {};
    expect([...(raw ?? [])]).toEqual([0, 255, 128]);
    expect(Buffer.from(text ?? []).toString()).toBe('gate-1');
  });

  check('what is acknowledged is there', async (lab) => {
    const topic = await lab.topic();
    const partition = partitionOf('gate', PARTITIONS);
    const highs = async () => (await lab.broker.offsets(topic)).map(({ high }) => high);
    expect(await highs()).toEqual([0, 0, 0, 0]);
    await lab.send([record(topic, 'gate', '1'), record(topic, 'gate', '2')]);
    expect((await highs())[partition]).toBe(2);
    expect(await lab.read(topic, 2)).toEqual(['1', '2']);
  });

  check('tells where records were put', async (lab) => {
    const topic = await lab.topic();
    const partition = partitionOf('gate', PARTITIONS);
    const producer = await lab.broker.openProducer();
    const appended: AppendedAt[] = [];
    for (const text of ['1', '2']) {
      const records = [text, text].map((one) => record(topic, 'gate', one));
      await producer.send(records, (where) => appended.push(where));
    }
    await producer.close();
    expect(appended).toEqual([0, 2].map((baseOffset) => ({ topic, partition, baseOffset })));
  });

  check('finds where a time lies in each partition', async (lab) => {
    const topic = await lab.topic();
    const partition = partitionOf('gate', PARTITIONS);
    const nowMs = () => Math.floor(lab.clock.nowUs() / 1000);
    await lab.send([record(topic, 'gate', '1'), record(topic, 'gate', '2')]);
    await lab.clock.sleep(20);
    const betweenMs = nowMs();
    await lab.send([record(topic, 'gate', '3')]);
    const at = (timestampMs: number) => lab.broker.offsetsAt(topic, timestampMs);
    const expected = (offset: number) =>
      new Map(
        numbers(PARTITIONS).map((each) => [Number(each), each === `${partition}` ? offset : 0]),
      );
    expect(await at(0)).toEqual(expected(0));
    expect(await at(betweenMs)).toEqual(expected(2));
    expect(await at(nowMs() + 60_000)).toEqual(expected(3));
  });

  check('fetches what is stored outside of any group, and waits for nothing', async (lab) => {
    const topic = await lab.topic();
    const partition = partitionOf('gate', PARTITIONS);
    const fetch = (offset: number, bytesMax = 1_000_000) =>
      lab.broker.fetch({ topic, partition, offset, bytesMax });
    expect(await fetch(0)).toEqual({ records: [], nextOffset: 0 });
    for (const text of numbers(5)) await lab.send([record(topic, 'gate', text)]);
    const all = await fetch(0);
    expect(all.records.map(textOf)).toEqual(numbers(5));
    expect(all.nextOffset).toBe(5);
    expect(all.records[2]).toMatchObject({ topic, partition, offset: 2, key: 'gate' });
    const { 'frame-id': header } = all.records[2]?.headers ?? {};
    expect(Buffer.from(header ?? []).toString()).toBe('gate-2');
    expect((await fetch(3)).records.map(textOf)).toEqual(['3', '4']);
    expect(await fetch(5)).toEqual({ records: [], nextOffset: 5 });
    const few = await fetch(1, 1);
    expect(few.records.map(textOf)).toEqual(['1']);
    expect(few.nextOffset).toBe(2);
    const nowhere = { topic: lab.spec().name, partition, offset: 0, bytesMax: 1 };
    await expect(lab.broker.fetch(nowhere)).rejects.toMatchObject({ code: 'topic-missing' });
  });

  check('refuses what the topic does not take, and goes on', async (lab) => {
    const topic = await lab.topic({ 'max.message.bytes': '2000' });
    const producer = await lab.broker.openProducer();
    const tooLarge = producer.send([record(topic, 'gate', 'x'.repeat(5000))]);
    await expect(tooLarge).rejects.toMatchObject({ code: 'record-too-large' });
    await producer.send([record(topic, 'gate', 'fits')]);
    await producer.close();
    expect(await lab.read(topic, 1)).toEqual(['fits']);
  });
}

function transactorChecks(check: Check): void {
  const inputOf = async (lab: Lab) => ({
    groupId: lab.group(),
    topic: await lab.topic(),
    partition: 1,
  });

  check('moves results, position and note together', async (lab) => {
    const [input, out] = [await inputOf(lab), await lab.topic()];
    const transactor = await lab.broker.openTransactor(input);
    expect(await transactor.acquire()).toBeUndefined();
    expect(transactor.note).toBeUndefined();
    for (const text of numbers(5)) {
      const records = [record(out, 'gate', text), record(out, 'yard', text)];
      await transactor.commit(records, Number(text) + 1, `note ${text}`);
    }
    await transactor.close();
    const successor = await lab.broker.openTransactor(input);
    expect(await successor.acquire()).toBe(5);
    expect(successor.note).toBe('note 4');
    await successor.commit([], 9);
    expect(await successor.acquire()).toBe(9);
    expect(successor.note).toBeUndefined();
    await successor.close();
    const committed = await lab.broker.committedOffsets(input.groupId, input.topic);
    expect(committed).toEqual(new Map([[1, 9]]));
    expect((await lab.read(out, 10)).toSorted()).toEqual(
      numbers(5).flatMap((text) => [text, text]),
    );
  });

  check('whoever acquires last fences everyone before', async (lab) => {
    const [input, out] = [await inputOf(lab), await lab.topic()];
    const first = await lab.broker.openTransactor(input);
    await first.acquire();
    await first.commit([record(out, 'gate', 'first')], 1, 'first');
    const second = await lab.broker.openTransactor(input);
    expect(await second.acquire()).toBe(1);
    expect(second.note).toBe('first');
    const late = first.commit([record(out, 'gate', 'late')], 7, 'late');
    await expect(late).rejects.toMatchObject({ code: 'broker-fenced' });
    await second.commit([record(out, 'gate', 'second')], 2, 'second');
    expect(await second.acquire()).toBe(2);
    expect(second.note).toBe('second');
    expect(await lab.read(out, 2)).toEqual(['first', 'second']);
    // And the other way round, since a fenced one may be the owner all the same.
    expect(await first.acquire()).toBe(2);
    const fenced = second.commit([], 8);
    await expect(fenced).rejects.toMatchObject({ code: 'broker-fenced' });
    await first.close();
    await second.close();
  });

  check('a failed transaction is seen by nobody who reads committed records', async (lab) => {
    const [input, out] = [await inputOf(lab), await lab.topic()];
    const small = await lab.topic({ 'max.message.bytes': '2000' });
    const transactor = await lab.broker.openTransactor(input);
    await transactor.acquire();
    await transactor.commit([record(out, 'gate', 'before')], 1, 'before');
    const failing = transactor.commit(
      [record(out, 'gate', 'aborted'), record(small, 'gate', 'x'.repeat(5000))],
      2,
      'aborted',
    );
    await expect(failing).rejects.toMatchObject({ code: 'record-too-large' });
    expect(await transactor.acquire()).toBe(1);
    expect(transactor.note).toBe('before');
    await transactor.commit([record(out, 'gate', 'after')], 2, 'after');
    await transactor.close();
    expect(await lab.read(out, 2)).toEqual(['before', 'after']);
    expect(await lab.read(out, 3, false)).toEqual(['before', 'aborted', 'after']);
    const partition = partitionOf('gate', PARTITIONS);
    const fetched = await lab.broker.fetch({ topic: out, partition, offset: 0, bytesMax: 1e6 });
    expect(fetched.records.map(textOf)).toEqual(['before', 'after']);
    expect(fetched.nextOffset, 'three records and three markers').toBe(6);
  });

  check('commits nothing without an acquisition, and nothing once closed', async (lab) => {
    const input = await inputOf(lab);
    const transactor = await lab.broker.openTransactor(input);
    await expect(transactor.commit([], 1)).rejects.toThrow(/not acquired/);
    await transactor.acquire();
    await transactor.close();
    await expect(transactor.commit([], 1)).rejects.toThrow();
    await expect(transactor.acquire()).rejects.toThrow(/closed/);
    expect(await lab.broker.committedOffsets(input.groupId, input.topic)).toEqual(new Map());
  });

  check('a transactor closed while it acquires fences nobody afterwards', async (lab) => {
    const input = await inputOf(lab);
    const closed = await lab.broker.openTransactor(input);
    const acquiring = closed.acquire().catch((error: unknown) => error);
    await closed.close();
    await acquiring;
    // What was on its way may still arrive.
    await lab.clock.sleep(100);
    const owner = await lab.broker.openTransactor(input);
    await owner.acquire();
    await lab.clock.sleep(500);
    await owner.commit([], 3);
    expect(await owner.acquire()).toBe(3);
    await owner.close();
  });
}
