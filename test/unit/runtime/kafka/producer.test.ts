import { describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { KafkaProducer, type ProducerClient } from '#runtime/kafka/producer.ts';
import { silentLogger } from '#runtime/log.ts';

type SendBatch = ProducerClient['sendBatch'];

/** A kafkajs producer that does what `script` says, call by call; afterwards it answers for all. */
function scripted(script: ((batch: Parameters<SendBatch>[0]) => ReturnType<SendBatch>)[]) {
  const log: string[] = [];
  const sent: string[][] = [];
  const createClient = (): ProducerClient => ({
    connect: async () => void log.push('connect'),
    disconnect: async () => void log.push('disconnect'),
    cut: () => void log.push('cut'),
    sendBatch: async (batch) => {
      const { topicMessages = [] } = batch;
      sent.push(topicMessages.flatMap(({ messages }) => messages.map(({ value }) => `${value}`)));
      const act = script.shift() ?? answerAll;
      return act(batch);
    },
  });
  let nowMs = 0;
  const producer = new KafkaProducer({
    createClient,
    partitionCount: async () => 16,
    clock: {
      ...systemClock,
      after: (ms, action) => systemClock.after(ms, action),
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms;
      },
    },
    logger: silentLogger,
    onClosed: () => log.push('closed'),
  });
  return { producer, log, sent };
}

const answerAll: SendBatch = async ({ topicMessages = [] }) =>
  topicMessages.flatMap(({ topic, messages }) =>
    messages.map(({ partition }) => ({
      topicName: topic,
      partition: partition ?? -1,
      errorCode: 0,
    })),
  );

/** As kafkajs does when a leader moves to a broker that has answered already. */
const forgetFirst: SendBatch = async (batch) => {
  const answers = await answerAll(batch);
  return answers.filter(({ partition }) => partition !== answers[0]?.partition);
};

const failWith =
  (type: string): SendBatch =>
  async () => {
    throw Object.assign(new Error(type), { type });
  };

const record = (key: string, value = key): OutgoingRecord => ({
  topic: 'frames',
  key,
  value: Buffer.from(value),
  headers: {},
});

describe('KafkaProducer', () => {
  it('sends again what nobody answered for, and only that', async () => {
    const { producer, sent } = scripted([forgetFirst]);
    await producer.send(['gate', 'yard', 'room', 'dock'].map((key) => record(key)));
    expect(sent).toHaveLength(2);
    expect(sent[0]).toEqual(['gate', 'yard', 'room', 'dock']);
    expect(sent[1]).toContain('gate');
    expect(sent[1]?.length).toBeLessThan(4);
  });

  it('replaces the client that lost track of its sequence numbers', async () => {
    const { producer, log, sent } = scripted([failWith('OUT_OF_ORDER_SEQUENCE_NUMBER')]);
    await producer.send([record('gate')]);
    expect(sent).toEqual([['gate'], ['gate']]);
    expect(log).toEqual(['connect', 'disconnect', 'cut', 'connect']);
  });

  it('keeps a client that answered for some, replaces one that answered for none', async () => {
    const nothing: SendBatch = async () => [];
    const { producer, log, sent } = scripted([forgetFirst, nothing]);
    await producer.send(['gate', 'yard', 'room', 'dock'].map((key) => record(key)));
    expect(sent).toHaveLength(3);
    expect(sent[2]).toEqual(sent[1]);
    expect(log).toEqual(['connect', 'disconnect', 'cut', 'connect']);
  });

  it('does not try for ever when nobody answers', async () => {
    const nothing: SendBatch = async () => [];
    const { producer, log } = scripted(Array.from({ length: 100 }, () => nothing));
    await expect(producer.send([record('gate')])).rejects.toMatchObject({ code: 'publish-failed' });
    expect(log.length).toBeLessThan(200);
  });

  it('after giving up, other records do not go out under the same sequence numbers', async () => {
    const { producer, log } = scripted(
      Array.from({ length: 60 }, () => failWith('REQUEST_TIMED_OUT')),
    );
    await expect(producer.send([record('gate')])).rejects.toMatchObject({ code: 'publish-failed' });
    expect(log.at(-1)).toBe('cut');
  });

  it('does not repeat what will be refused again', async () => {
    const { producer, sent } = scripted([failWith('TOPIC_AUTHORIZATION_FAILED')]);
    await expect(producer.send([record('gate')])).rejects.toMatchObject({ code: 'broker-refused' });
    expect(sent).toHaveLength(1);
  });

  it('a failed call does not fail or overtake the next', async () => {
    const { producer, sent } = scripted([failWith('MESSAGE_TOO_LARGE')]);
    const large = producer.send([record('gate', 'large')]);
    const small = producer.send([record('gate', 'small')]);
    await expect(large).rejects.toMatchObject({ code: 'record-too-large' });
    await small;
    expect(sent).toEqual([['large'], ['small']]);
  });

  it('finishes what is under way before it closes', async () => {
    const { producer, log, sent } = scripted([]);
    const last = producer.send([record('gate')]);
    await producer.close();
    await last;
    expect(sent).toHaveLength(1);
    expect(log).toEqual(['connect', 'disconnect', 'cut', 'closed']);
  });
});
