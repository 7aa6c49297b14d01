import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker, OutgoingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { sharedStack } from './stack.ts';

const { brokers, prefix } = sharedStack('fencing');
const settings = { brokers, clientId: 'fencing', tls: undefined, sasl: undefined };
const [input, output] = [`${prefix}.in`, `${prefix}.out`];
const position = { groupId: `${prefix}-group`, topic: input, partition: 0 };
let broker: Broker;

beforeAll(async () => {
  broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  const shape = { partitionCount: 2, replicationFactor: 1, settings: {} };
  await broker.ensureTopics([
    { name: input, ...shape },
    { name: output, ...shape },
  ]);
});

afterAll(() => broker.close());

function result(offset: number): OutgoingRecord {
  return { topic: output, key: 'gate', value: Buffer.from(String(offset)), headers: {} };
}

describe('two holders of one partition', () => {
  it('the earlier one can write nothing that a committed reader sees', async () => {
    const zombie = await broker.openTransactor(position);
    const successor = await broker.openTransactor(position);
    await zombie.acquire();
    await zombie.commit([result(0)], 1);
    expect(await successor.acquire()).toBe(1);
    await expect(zombie.commit([result(1)], 2)).rejects.toMatchObject({ code: 'broker-fenced' });
    await successor.commit([result(1)], 2);
    expect(await values(2)).toEqual(['0', '1']);
    await Promise.all([zombie.close(), successor.close()]);
  });

  it('however their calls interleave, each offset is written once and in order', async () => {
    const holders = await Promise.all([
      broker.openTransactor(position),
      broker.openTransactor(position),
    ]);
    const last = 40;
    const work = holders.map(async (holder, index) => {
      while (true) {
        try {
          let next = (await holder.acquire()) ?? 0;
          // Each works for a while, until the other one has taken over in the midst of a commit.
          for (; next < last; next++) {
            await holder.commit([result(next)], next + 1);
            await systemClock.sleep((next * 7 + index * 5) % 11);
          }
          return;
        } catch {
          await systemClock.sleep(20 + index * 13);
        }
      }
    });
    await Promise.all(work);
    const expected = Array.from({ length: last }, (_, offset) => String(offset));
    expect(await values(last)).toEqual(expected);
    await Promise.all(holders.map((holder) => holder.close()));
  });
});

async function values(count: number): Promise<string[]> {
  const records = await readTopic(broker, output, { count, groupId: `${prefix}-${Math.random()}` });
  return records.map(({ value }) => Buffer.from(value ?? []).toString());
}
