import { describe, expect, it } from 'vitest';
import { readBook } from '#consumers/dead-letters/read-letters.ts';
import { settleLetters } from '#consumers/dead-letters/settle.ts';
import type { Broker, IncomingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf } from '#runtime/errors.ts';
import type { DeadLetter } from '#schemas/dead-letter.ts';
import { decodeDeadLetterAction } from '#schemas/dead-letter-action.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { DEAD_LETTERS, scene, writeLetters } from './dead-letter-writer.ts';
import { openBroker } from './inference-process.ts';

const FRAMING = singleObjectFraming();

/** Their values are their indices, in two bytes. */
function manyLetters(count: number): Partial<DeadLetter>[] {
  return Array.from({ length: count }, (_, index) => {
    const originValue = Buffer.alloc(2);
    originValue.writeUInt16BE(index);
    return { originValue, originBytes: 2 };
  });
}

const indexOf = ({ value }: IncomingRecord) => Buffer.from(value ?? []).readUInt16BE();

/** What readers find of `count` letters whose values are their indices, all redriven once. */
async function expectOnceEach(broker: Broker, topics: TopicTable, groupId: string, count: number) {
  const records = await readTopic(broker, topics.frames.name, { groupId, count });
  const indices = Array.from({ length: count }, (_, index) => index);
  expect(records.map(indexOf).sort((a, b) => a - b)).toEqual(indices);
  const actions = await readTopic(broker, topics.deadLetterActions.name, { groupId, count });
  const decoded = actions.map(({ value }) => decodeDeadLetterAction(value, FRAMING));
  for (const partition of [0, 1]) {
    const there = decoded.filter(({ letterPartition }) => letterPartition === partition);
    expect(there.map(({ number }) => number)).toEqual(there.map((_, index) => index + 1));
  }
}

type Intrusion = (call: 'acquire' | 'commit') => Promise<void>;

/** A broker whose transactors let someone else act first. */
function intruded(broker: Broker, intrude: Intrusion): Broker {
  const openTransactor: Broker['openTransactor'] = async (options) => {
    const transactor = await broker.openTransactor(options);
    return {
      acquire: () => intrude('acquire').then(() => transactor.acquire()),
      commit: (...args) => intrude('commit').then(() => transactor.commit(...args)),
      close: () => transactor.close(),
      get note() {
        return transactor.note;
      },
    };
  };
  const offsets: Broker['offsets'] = (topic) => broker.offsets(topic);
  const openConsumer: Broker['openConsumer'] = (options) => broker.openConsumer(options);
  return { openTransactor, offsets, openConsumer } as Broker;
}

/** Letters, all read and found open, and what redrives them from a process of its own. */
async function manyOpenLetters(label: string, count: number, changes: Partial<DeadLetter> = {}) {
  const { brokers, prefix, topics, broker } = await scene(label);
  const letters = manyLetters(count).map((letter) => ({ ...letter, ...changes }));
  await writeLetters(broker, topics, letters);
  const access = {
    ...{ topics, framing: FRAMING, clock: systemClock },
    stopping: new AbortController().signal,
  };
  const chosen = (await readBook({ ...access, broker })).matching({});
  expect(chosen).toHaveLength(count);
  const settle = async (intrude: Intrusion = async () => undefined) => {
    const order = { action: 'redriven', note: '', by: 'test@host' } as const;
    const own = intruded(openBroker(brokers), intrude);
    return settleLetters({ ...access, broker: own }, chosen, order);
  };
  return { prefix, topics, broker, settle };
}

describe('npm run dead-letters -- redrive', () => {
  it('redrives each letter once, however often it is killed', async () => {
    const { prefix, topics, broker, start, run, list } = await scene('redrive-killed');
    const count = 5_000;
    const letters = manyLetters(count);
    // A batch must not be larger than the topic takes.
    for (let from = 0; from < count; from += 1_000) {
      await writeLetters(broker, topics, letters.slice(from, from + 1_000));
    }
    const written = async () => {
      const partitions = await broker.offsets(topics.frames.name);
      return partitions.reduce((sum, { high }) => sum + high, 0);
    };
    for (let kill = 0; kill < 6; kill++) {
      const before = await written();
      const { child, exited, output } = start(DEAD_LETTERS, ['redrive', '--yes']);
      // A transaction after the first is under way, or another one is about to begin.
      while ((await written()) === before) await systemClock.sleep(1);
      child.kill('SIGKILL');
      await exited;
      expect(output()).toBe('');
    }
    const left = (await list('--limit', '5000')).filter(({ state }) => state === 'open');
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(count);
    const last = await run(DEAD_LETTERS, 'redrive', '--yes');
    expect(last).toEqual({ code: 0, output: `${left.length} letters redriven.\n` });
    await expectOnceEach(broker, topics, `${prefix}-reader`, count);
    const none = await run(DEAD_LETTERS, 'redrive', '--yes');
    expect(none).toEqual({ code: 0, output: '0 letters redriven.\n' });
  });

  it('redrives each letter once when several do so at once', async () => {
    const { prefix, topics, broker, settle } = await manyOpenLetters('redrive-at-once', 1_000);
    const outcomes = await Promise.allSettled([settle(), settle(), settle()]);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(codeOf(outcome.reason)).toBe('broker-fenced');
    }
    await settle();
    await expectOnceEach(broker, topics, `${prefix}-reader`, 1_000);
  });

  it.each([
    ['acquire', { settled: 0, settledBefore: 200 }],
    ['commit', 'broker-fenced'],
  ] as const)(
    'redrives each letter once when another does so before %s',
    async (call, expected) => {
      const { prefix, topics, broker, settle } = await manyOpenLetters(`before-${call}`, 200, {
        cameraId: 'gate',
      });
      let isFirst = true;
      const outcome = await settle(async (name) => {
        if (name !== call || !isFirst) return;
        isFirst = false;
        expect(await settle()).toEqual({ settled: 200, settledBefore: 0 });
      }).catch(codeOf);
      expect(outcome).toEqual(expected);
      await expectOnceEach(broker, topics, `${prefix}-reader`, 200);
    },
  );
});
