import { expect } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { partitionOf } from '#runtime/kafka/partition.ts';
import { type Check, KEYS, numbers, PARTITIONS, record, textOf } from './broker-lab.ts';

/** The part of the broker's contract that is about members of groups. */
export function consumerChecks(check: Check): void {
  check('a group shares the partitions, and each change begins with a revocation', async (lab) => {
    const topic = await lab.topic();
    const groupId = lab.group();
    const first = lab.member({ topics: [topic], groupId });
    const second = lab.member({ topics: [topic], groupId });
    expect(await lab.broker.groupMembers(groupId)).toEqual([]);
    await first.start();
    expect(first.partitionsOf(topic)).toEqual([0, 1, 2, 3]);
    const [member] = await lab.broker.groupMembers(groupId);
    await second.start();
    await lab.until(() => first.partitionsOf(topic).length === 2, 'two each');
    const both = [...first.partitionsOf(topic), ...second.partitionsOf(topic)];
    expect(both.toSorted()).toEqual([0, 1, 2, 3]);
    expect(first.events).toEqual(['assigned', 'revoked', 'assigned']);
    const members = await lab.broker.groupMembers(groupId);
    expect(members).toHaveLength(2);
    expect(members).toContain(member);
    await second.consumer.stop();
    await lab.until(() => first.partitionsOf(topic).length === 4, 'all back');
    expect(first.events.slice(3)).toEqual(['revoked', 'assigned']);
    expect(second.events).toEqual(['assigned', 'revoked']);
    await first.consumer.stop();
    expect(first.events.at(-1)).toBe('revoked');
    expect(await lab.broker.groupMembers(groupId)).toEqual([]);
  });

  check('after a rebalance everything comes again from the committed position', async (lab) => {
    const topic = await lab.topic();
    const groupId = lab.group();
    const partition = partitionOf('gate', PARTITIONS);
    await lab.send(numbers(6).map((text) => record(topic, 'gate', text)));
    const first = lab.member({ topics: [topic], groupId });
    await first.start();
    await lab.until(() => first.records.length === 6, 'all records');
    const transactor = await lab.broker.openTransactor({ groupId, topic, partition });
    await transactor.acquire();
    await transactor.commit([], 4);
    // Its markers are there when the next holder has been let in.
    await transactor.acquire();
    await transactor.close();
    const second = lab.member({ topics: [topic], groupId });
    await second.start();
    await lab.until(() => first.records.length + second.records.length >= 8, 'the last two again');
    await lab.clock.sleep(500);
    const again = [...first.records.slice(6), ...second.records];
    expect(again.map(({ offset }) => offset)).toEqual([4, 5]);
    await first.consumer.stop();
    await second.consumer.stop();
  });

  check('a pause holds back what is fetched already, until it is resumed', async (lab) => {
    const topic = await lab.topic();
    await lab.send(KEYS.map((key) => record(topic, key, 'first')));
    const member = lab.member({ topics: [topic] });
    let calls = 0;
    await member.start(() => {
      calls++;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        member.consumer.pause(topic, partition);
      }
    });
    await lab.until(() => calls > 0, 'a first batch');
    await lab.clock.sleep(600);
    expect(calls).toBe(1);
    for (let round = 2; round <= PARTITIONS; round++) {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        member.consumer.resume(topic, partition);
      }
      await lab.until(() => calls === round, `batch ${round}`);
    }
    expect(member.records).toHaveLength(KEYS.length);
    await member.consumer.stop();
  });

  check('a pause ends with its generation', async (lab) => {
    const topic = await lab.topic();
    const groupId = lab.group();
    const member = lab.member({ topics: [topic], groupId });
    await member.start();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      member.consumer.pause(topic, partition);
    }
    const passer = lab.member({ topics: [topic], groupId });
    await passer.start();
    await passer.consumer.stop();
    await lab.until(() => member.partitionsOf(topic).length === PARTITIONS, 'all back');
    await lab.send(KEYS.map((key) => record(topic, key, 'new')));
    await lab.until(() => member.records.length === KEYS.length, 'all records');
    await member.consumer.stop();
  });

  check('tells how far it has read, also where nothing is handed out', async (lab) => {
    const [input, out] = [await lab.topic(), await lab.topic()];
    const small = await lab.topic({ 'max.message.bytes': '2000' });
    const partition = partitionOf('gate', PARTITIONS);
    const transactor = await lab.broker.openTransactor({
      ...{ groupId: lab.group(), topic: input, partition },
    });
    await transactor.acquire();
    await transactor.commit([record(out, 'gate', '1')], 1);
    const member = lab.member({ topics: [out] });
    await member.start();
    const reached = () => member.reached.get(partition);
    await lab.until(() => reached() === 2, 'the marker behind the record');
    const tooLarge = [record(out, 'gate', 'aborted'), record(small, 'gate', 'x'.repeat(5000))];
    await expect(transactor.commit(tooLarge, 2)).rejects.toThrow();
    await transactor.acquire();
    await lab.until(() => reached() === 4, 'an aborted record and its marker');
    await lab.send([record(out, 'gate', '2')]);
    await lab.until(() => reached() === 5, 'a plain record');
    expect(member.records.map(textOf)).toEqual(['1', '2']);
    await transactor.close();
    await member.consumer.stop();
  });

  check('begins with the oldest record, or with those that come', async (lab) => {
    const topic = await lab.topic();
    await lab.send([record(topic, 'gate', 'old')]);
    const latest = lab.member({ topics: [topic], from: 'latest' });
    await latest.start();
    // Where the end is, it learns after the group was joined.
    await lab.clock.sleep(1_000);
    await lab.send([record(topic, 'gate', 'new')]);
    await lab.until(() => latest.records.length > 0, 'the new record');
    await latest.consumer.stop();
    expect(latest.records.map(textOf)).toEqual(['new']);
    expect(await lab.read(topic, 2)).toEqual(['old', 'new']);
  });

  check('commits after records, and a group goes on where it committed', async (lab) => {
    const topic = await lab.topic();
    const options = { topics: [topic], groupId: lab.group(), commit: 'after-records' as const };
    await lab.send([record(topic, 'gate', '1'), record(topic, 'gate', '2')]);
    const first = lab.member(options);
    await first.start();
    await lab.until(() => first.records.length === 2, 'two records');
    await first.consumer.stop();
    const committed = await lab.broker.committedOffsets(options.groupId, topic);
    expect(committed.get(partitionOf('gate', PARTITIONS))).toBe(2);
    await lab.send([record(topic, 'gate', '3')]);
    const second = lab.member(options);
    await second.start();
    await lab.until(() => second.records.length > 0, 'the third');
    await second.consumer.stop();
    expect(second.records.map(textOf)).toEqual(['3']);
  });

  check('a handler that fails ends the consumer, its position before the records', async (lab) => {
    const topic = await lab.topic();
    const options = { topics: [topic], groupId: lab.group(), commit: 'after-records' as const };
    await lab.send([record(topic, 'gate', '1')]);
    const member = lab.member(options);
    await member.start(async () => {
      await lab.clock.sleep(50);
      throw new Error('the handler is at fault');
    });
    await lab.until(() => member.failures.length > 0, 'the failure');
    await lab.clock.sleep(500);
    await member.consumer.stop();
    expect(member.failures.map(({ message }) => message)).toEqual(['the handler is at fault']);
    expect(member.events).toEqual(['assigned', 'revoked', 'failed']);
    expect(await lab.broker.committedOffsets(options.groupId, topic)).toEqual(new Map());
  });

  check(
    'a stop waits for the handler and keeps what it did; nothing is called after',
    async (lab) => {
      const topic = await lab.topic();
      const options = { topics: [topic], groupId: lab.group(), commit: 'after-records' as const };
      await lab.send([record(topic, 'gate', '1')]);
      const member = lab.member(options);
      const begun = Promise.withResolvers<void>();
      await member.start(async () => {
        begun.resolve();
        await lab.clock.sleep(400);
      });
      await begun.promise;
      await member.consumer.stop();
      expect(member.records.map(textOf)).toEqual(['1']);
      expect(member.events).toEqual(['assigned', 'revoked']);
      const committed = await lab.broker.committedOffsets(options.groupId, topic);
      expect(committed.get(defined(member.records[0], 'the record').partition)).toBe(1);
      await lab.send([record(topic, 'gate', '2')]);
      await lab.clock.sleep(500);
      expect(member.records).toHaveLength(1);
    },
  );

  check('a slow handler holds up the fetching, and costs no membership', async (lab) => {
    const topic = await lab.topic();
    const member = lab.member({ topics: [topic], commit: 'after-records' });
    let running = 0;
    let runningMax = 0;
    await lab.send([record(topic, 'gate', '1')]);
    await member.start(async () => {
      runningMax = Math.max(runningMax, ++running);
      await lab.clock.sleep(2_500);
      running--;
    });
    await lab.until(() => running > 0, 'the first call');
    await lab.send([record(topic, 'gate', '2')]);
    await lab.until(() => member.records.length === 2, 'both records');
    expect(runningMax).toBe(1);
    expect(member.events).toEqual(['assigned']);
    await member.consumer.stop();
  });
}
