import { describe, expect, it } from 'vitest';
import type { ReaderClient } from '#runtime/kafka/reader.ts';
import { KafkaReader } from '#runtime/kafka/reader.ts';

const REQUEST = { topic: 'frames', partition: 3, offset: 40, bytesMax: 1000 };

type Fetched = readonly { readonly offset: string }[] | Error;

/** A reader whose brokers answer its fetches with these, one after the other. */
function readerOf(answers: readonly Fetched[], { oldest = 0, leaders = { 7: [3] } } = {}) {
  const said: string[] = [];
  let next = 0;
  const createClient = (): ReaderClient => {
    const client = `client ${said.filter((one) => one.endsWith(' connects')).length + 1}`;
    return {
      connect: async () => void said.push(`${client} connects`),
      disconnect: async () => void said.push(`${client} disconnects`),
      cut: () => undefined,
      addTargetTopic: async () => undefined,
      findLeaderForPartitions: () => leaders,
      findBroker: async ({ nodeId }) => ({
        fetch: async ({ topics }) => {
          const offset = topics[0]?.partitions[0]?.fetchOffset;
          said.push(`${client} fetches ${offset} of node ${nodeId}`);
          const answer = answers[next++] ?? [];
          if (answer instanceof Error) throw answer;
          const messages = answer.map((message) => ({
            ...{ key: null, value: Buffer.of(1), headers: {}, timestamp: '5' },
            ...message,
          }));
          const partition = {
            partition: 3,
            highWatermark: '50',
            abortedTransactions: [],
            messages,
          };
          return { responses: [{ partitions: [partition] }] };
        },
      }),
    };
  };
  const reader = new KafkaReader({
    ...{ createClient, partitionCount: async () => 8, oldest: async () => oldest },
  });
  return { reader, said };
}

function brokerError(type: string): Error {
  return Object.assign(new Error(type), { type });
}

describe('KafkaReader', () => {
  it('asks the leader, and says where to go on', async () => {
    const { reader, said } = readerOf([[{ offset: '39' }, { offset: '40' }, { offset: '44' }], []]);
    const { records, nextOffset } = await reader.fetch(REQUEST);
    expect(records.map(({ offset }) => offset)).toEqual([40, 44]);
    expect(nextOffset).toBe(45);
    expect(await reader.fetch({ ...REQUEST, offset: 45 })).toEqual({ records: [], nextOffset: 45 });
    await reader.close();
    expect(said).toEqual([
      'client 1 connects',
      'client 1 fetches 40 of node 7',
      'client 1 fetches 45 of node 7',
      'client 1 disconnects',
    ]);
  });

  it('goes on with the oldest record where the wanted ones are deleted', async () => {
    const gone = brokerError('OFFSET_OUT_OF_RANGE');
    const { reader, said } = readerOf([gone, [{ offset: '90' }]], { oldest: 90 });
    expect((await reader.fetch(REQUEST)).nextOffset).toBe(91);
    expect(said.at(-1)).toBe('client 1 fetches 90 of node 7');
  });

  it('finds nothing behind the end', async () => {
    const { reader } = readerOf([brokerError('OFFSET_OUT_OF_RANGE')]);
    expect(await reader.fetch(REQUEST)).toEqual({ records: [], nextOffset: 40 });
  });

  it('asks anew once where a leader has moved', async () => {
    const moved = brokerError('NOT_LEADER_FOR_PARTITION');
    const { reader, said } = readerOf([moved, [{ offset: '40' }], moved, moved]);
    expect((await reader.fetch(REQUEST)).nextOffset).toBe(41);
    expect(said).toContain('client 2 connects');
    await expect(reader.fetch(REQUEST)).rejects.toMatchObject({ code: 'broker-unavailable' });
  });

  it('does not ask again where it is refused', async () => {
    const { reader, said } = readerOf([brokerError('TOPIC_AUTHORIZATION_FAILED')]);
    await expect(reader.fetch(REQUEST)).rejects.toMatchObject({ code: 'broker-refused' });
    expect(said.filter((one) => one.includes('fetches'))).toHaveLength(1);
  });

  it('says that a partition has no leader', async () => {
    const { reader } = readerOf([], { leaders: {} as { 7: number[] } });
    await expect(reader.fetch(REQUEST)).rejects.toThrow('partition 3 of frames has no leader.');
  });
});
