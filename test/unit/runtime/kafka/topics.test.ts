import { expect, it } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import type { KafkaJs } from '#runtime/kafka/kafkajs.ts';
import { KafkaTopics } from '#runtime/kafka/topics.ts';

/** Admins of kafkajs that answer `describeGroups` when told to, and a log of what was done. */
function scripted() {
  const log: string[] = [];
  const answers: PromiseWithResolvers<{ groups: [] }>[] = [];
  let count = 0;
  const topics = new KafkaTopics(() => {
    const name = `admin ${++count}`;
    const act = async (what: string) => void log.push(`${name} ${what}`);
    const describeGroups = () => {
      const answer = Promise.withResolvers<{ groups: [] }>();
      answers.push(answer);
      return answer.promise;
    };
    const connected = () => act('connected');
    const disconnect = () => act('disconnected');
    return { connect: connected, disconnect, describeGroups } as unknown as KafkaJs.Admin;
  }, systemClock);
  return { topics, log, answers };
}

function protocolError(type: string): Error {
  return Object.assign(new Error(type), { type, retriable: true });
}

it('a call that fails leaves the connection to the others until they are done', async () => {
  const { topics, log, answers } = scripted();
  const failing = topics.members('one');
  const other = topics.members('two');
  await systemClock.turn();
  answers[0]?.reject(protocolError('REQUEST_TIMED_OUT'));
  await expect(failing).rejects.toThrow('looking up the members of one');
  const next = topics.members('three');
  await systemClock.turn();
  expect(log).toEqual(['admin 1 connected', 'admin 2 connected']);
  answers[1]?.resolve({ groups: [] });
  expect(await other).toEqual([]);
  expect(log.at(-1)).toBe('admin 1 disconnected');
  answers[2]?.resolve({ groups: [] });
  expect(await next).toEqual([]);
  await topics.close();
  expect(log.at(-1)).toBe('admin 2 disconnected');
  expect(log).toHaveLength(4);
});

it.each(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_LOAD_IN_PROGRESS', 'NOT_LEADER_FOR_PARTITION'])(
  'asks again after %s, until it is closed',
  async (type) => {
    const { topics, answers } = scripted();
    const asked = async (index: number) => {
      while (answers[index] === undefined) await systemClock.sleep(1);
      return answers[index];
    };
    const first = topics.members('one');
    (await asked(0)).reject(protocolError(type));
    (await asked(1)).reject(protocolError(type));
    (await asked(2)).resolve({ groups: [] });
    expect(await first).toEqual([]);
    const second = topics.members('two');
    const refusal = expect(second).rejects.toMatchObject({ code: 'broker-unavailable' });
    (await asked(3)).reject(protocolError(type));
    await topics.close();
    await refusal;
    expect(answers).toHaveLength(4);
  },
);
