import pLimit from 'p-limit';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { KafkaTransactor, type TransactionHandle } from '#runtime/kafka/transactor.ts';

const error = (type: string) => Object.assign(new Error(type), { type });

/** A kafkajs transactional producer; `fail` says which calls throw, each once. */
function scripted(fail: Partial<Record<string, Error[]>> = {}, connectInTurn = pLimit(1)) {
  const log: string[] = [];
  const act = async (name: string) => {
    log.push(name);
    const failure = fail[name]?.shift();
    if (failure !== undefined) throw failure;
  };
  const transaction: TransactionHandle = {
    sendOffsets: () => act('sendOffsets'),
    sendBatch: async ({ topicMessages = [] }) => {
      await act('sendBatch');
      if (fail.answers !== undefined) return [];
      return topicMessages.flatMap(({ topic, messages }) =>
        messages.map(({ partition }) => ({
          topicName: topic,
          partition: partition ?? -1,
          errorCode: 0,
        })),
      );
    },
    commit: () => act('commit'),
    abort: () => act('abort'),
  };
  const transactor = new KafkaTransactor(
    { groupId: 'group', topic: 'in', partition: 3 },
    {
      createClient: () => ({
        connect: () => act('connect'),
        disconnect: () => act('disconnect'),
        cut: () => void log.push('cut'),
        transaction: async () => {
          await act('transaction');
          return transaction;
        },
      }),
      connectInTurn,
      partitionCount: async () => 4,
      committedPosition: async () => {
        await act('position');
        return { offset: 7, note: 'note' };
      },
      clock: systemClock,
      onClosed: () => log.push('closed'),
    },
  );
  return { transactor, log };
}

const result = { topic: 'out', key: 'gate', value: Buffer.from('x'), headers: {} };

describe('KafkaTransactor', () => {
  it('connects when it is its turn', async () => {
    const inTurn = pLimit(1);
    const before = Promise.withResolvers<void>();
    const done = inTurn(() => before.promise);
    const { transactor, log } = scripted({}, inTurn);
    const acquired = transactor.acquire();
    await systemClock.turn();
    expect(log).toEqual([]);
    before.resolve();
    await done;
    expect(await acquired).toBe(7);
  });

  it('fences before it reads the position', async () => {
    const { transactor, log } = scripted();
    expect(await transactor.acquire()).toBe(7);
    expect(transactor.note).toBe('note');
    expect(log).toEqual(['connect', 'transaction', 'abort', 'position']);
  });

  it('waits, in its own steps, for an earlier transaction to be settled', async () => {
    const busy = [error('CONCURRENT_TRANSACTIONS'), error('CONCURRENT_TRANSACTIONS')];
    const { transactor, log } = scripted({ transaction: busy });
    expect(await transactor.acquire()).toBe(7);
    expect(log.filter((name) => name === 'transaction')).toHaveLength(3);
  });

  it('writes the position before the records, and repeats only the former', async () => {
    const { transactor, log } = scripted({ sendOffsets: [error('CONCURRENT_TRANSACTIONS')] });
    await transactor.acquire();
    log.length = 0;
    await transactor.commit([result], 8);
    expect(log).toEqual(['transaction', 'sendOffsets', 'sendOffsets', 'sendBatch', 'commit']);
  });

  it('never repeats a write inside a transaction: it aborts and drops the producer', async () => {
    const { transactor, log } = scripted({ sendBatch: [error('NOT_LEADER_FOR_PARTITION')] });
    await transactor.acquire();
    log.length = 0;
    await expect(transactor.commit([result], 8)).rejects.toMatchObject({
      code: 'broker-unavailable',
    });
    expect(log).toEqual(['transaction', 'sendOffsets', 'sendBatch', 'abort', 'cut', 'disconnect']);
    await expect(transactor.commit([result], 8)).rejects.toThrow(/not acquired/);
    expect(await transactor.acquire()).toBe(7);
  });

  it('does not commit a write that nobody answered for', async () => {
    const { transactor, log } = scripted({ answers: [] });
    await transactor.acquire();
    await expect(transactor.commit([result], 8)).rejects.toMatchObject({ code: 'publish-failed' });
    expect(log).not.toContain('commit');
  });

  it('closed under an acquisition, fences nobody any more', async () => {
    const busy = Array.from({ length: 1000 }, () => error('CONCURRENT_TRANSACTIONS'));
    const { transactor, log } = scripted({ transaction: busy });
    const acquiring = transactor.acquire();
    while (!log.includes('transaction')) await systemClock.sleep(1);
    await transactor.close();
    const calls = log.filter((name) => name === 'transaction').length;
    await expect(acquiring).rejects.toMatchObject({ code: 'broker-unavailable' });
    expect(log.indexOf('cut')).toBeGreaterThan(0);
    await systemClock.sleep(100);
    expect(log.filter((name) => name === 'transaction')).toHaveLength(calls);
    await expect(transactor.acquire()).rejects.toMatchObject({ code: 'broker-unavailable' });
    expect(log.filter((name) => name === 'connect')).toHaveLength(1);
  });

  it.each(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED'])('%s means fenced', async (type) => {
    const { transactor } = scripted({ commit: [error(type)] });
    await transactor.acquire();
    await expect(transactor.commit([result], 8)).rejects.toMatchObject({ code: 'broker-fenced' });
  });
});
