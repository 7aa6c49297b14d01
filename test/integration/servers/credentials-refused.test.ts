import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { totalOf } from '#consumers/subscriber/epoch-ledger.ts';
import { fixStart } from '#consumers/subscriber/start-positions.ts';
import { createAuthority } from '#infra/local/certificates.ts';
import { Guard } from '#infra/local/guard.ts';
import type { Broker, ConsumerHandlers } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { describeError, HalfsightError } from '#runtime/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import {
  backfillGroups,
  backfillTopics,
  bridgeGroups,
  redriveGroup,
  type Topic,
  topicSpecs,
  topicTable,
  webhookGroups,
} from '#schemas/topics.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { recordCount } from '#test/fixtures/record-count.ts';
import { until } from '#test/fixtures/until.ts';
import { startInference } from '#test/integration/inference-process.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { useSecuredStack } from './secured-stack.ts';

/** In the order of a first day: nobody may do anything, ACLs are made, everything runs. */

const SITE = 'site-1';
const TOPICS = topicTable({ prefix: SITE, partitionCount: 2 });
/** A neighbour whose prefix begins with ours. */
const NEIGHBOUR = topicTable({ prefix: 'site-10', partitionCount: 2 });
const GROUP = `${SITE}-inference`;
const ACLS = 'infra/acls/main.ts';
const FOLLOW = 'consumers/subscriber/follow-main.ts';
const BACKFILL = 'consumers/jobs/backfill-main.ts';
const BALANCE = 'consumers/subscriber/balance-main.ts';
const EXPORT = 'consumers/export/main.ts';
const GRANT = [
  ...[ACLS, '--camera', 'gate', '--inference', 'brain', '--jobs', 'night', '--operator', 'ops'],
  ...['--subscriber', 'shop', '--group', 'shop-', '--webhooks', 'hooks'],
  ...['--bridge', 'metropolis', '--to', 'mdx-raw'],
];
const SITE_VARIABLES = { KAFKA_TOPIC_PREFIX: SITE, KAFKA_GROUP_ID: GROUP, KAFKA_PARTITIONS: '2' };
const CONFIG = `
agent: {id: agent-a}
cameras:
  - {id: street, source: "synthetic:street?seed=1&width=160&height=120", fps: 10}
`;

const secured = useSecuredStack(
  ['admin', 'gate', 'brain', 'night', 'shop', 'hooks', 'metropolis', 'ops'],
  ['gate-with-card'],
);
const { as, said, passwords } = secured;
const run = (user: string, command: readonly string[]) =>
  secured.run(user, command, SITE_VARIABLES);

const record = (topic: string) => ({
  topic,
  key: 'street',
  value: Buffer.from('x'),
  headers: {},
});

async function send(broker: Broker, topic: string): Promise<void> {
  const producer = await broker.openProducer();
  await producer.send([record(topic)]);
}

function agentOf(variables: Readonly<Record<string, string>> = {}): AgentProcess {
  return new AgentProcess({
    ...{ config: CONFIG, brokers: secured.secure().brokers, prefix: SITE },
    variables: { ...secured.variables('gate'), ...variables },
  });
}

const frameCount = () => recordCount(as('ops'), TOPICS.frames.name);

/** Resolves with the first record. */
async function read(broker: Broker, topic: string, groupId: string): Promise<void> {
  const consumer = broker.openConsumer({
    ...{ groupId, topics: [topic], from: 'earliest' },
    ...{ readCommitted: true, commit: 'none' },
  });
  const first = Promise.withResolvers<void>();
  const handlers: ConsumerHandlers = {
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    onRecords: () => first.resolve(),
    onFailed: first.reject,
  };
  first.promise.catch(() => undefined);
  try {
    await consumer.start(handlers);
    await first.promise;
  } finally {
    await consumer.stop();
  }
}

/** A transaction that reads one topic and writes others. */
async function transact(
  broker: Broker,
  groupId: string,
  { from, to }: { readonly from: Topic; readonly to: readonly Topic[] },
): Promise<void> {
  const transactor = await broker.openTransactor({ groupId, topic: from.name, partition: 0 });
  try {
    await transactor.acquire();
    await transactor.commit(
      to.map(({ name }) => record(name)),
      0,
    );
  } finally {
    await transactor.close();
  }
}

/** What was refused, in one line; it may take one round of kafkajs' retries, not more. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const startMs = systemClock.monotonicMs();
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(error, 'it was allowed').toBeInstanceOf(HalfsightError);
  expect((error as HalfsightError).code).toBe('broker-refused');
  expect(systemClock.monotonicMs() - startMs).toBeLessThan(10_000);
  return describeError(error);
}

const NO_ACL = /No ACL allows this user to do that: see `npm run acls -- --help`/;

describe('before there are ACLs', () => {
  it('nobody but the super user may do anything, and is told what to do', async () => {
    expect(await refusal(as('gate').partitionCount(TOPICS.frames.name))).toMatch(NO_ACL);
    expect(await refusal(as('ops').ensureTopics(topicSpecs(TOPICS)))).toMatch(NO_ACL);
    const { code, output } = await run('gate', GRANT);
    expect(code).toBe(1);
    expect(output).toMatch(/broker-refused.*ACL/);
  });
});

describe('npm run acls', () => {
  it('says what it would do, does it, and then finds it done', async () => {
    const dry = await run('admin', [...GRANT, '--dry-run']);
    expect(dry.output).toMatch(
      /^would create {2}User:gate allow WRITE on topic site-1\.camera\.frame\.v1$/m,
    );
    const made = await run('admin', GRANT);
    expect(made.code, made.output).toBe(0);
    expect(made.output).toBe(dry.output.replaceAll('would create', 'created'));
    const again = await run('admin', GRANT);
    expect(again.output).toBe(dry.output.replaceAll('would create', 'exists'));
    const card = [ACLS, '--camera', 'gate-with-card'];
    const other = await run('admin', card);
    expect(other.output).toMatch(/^foreign {2}User:gate allow WRITE on topic .*frame/m);
  });

  it('the operator can make the topics then', async () => {
    const { code, output } = await run('ops', ['infra/topics/main.ts']);
    expect(code, output).toBe(0);
    expect(output).toContain(`created  ${TOPICS.frames.name}`);
    await as('admin').ensureTopics(topicSpecs(NEIGHBOUR));
  });
});

describe('with a role of its own', () => {
  it('every process does its work over TLS and SCRAM, and the books balance', async () => {
    const agent = agentOf();
    const brain = { ...secured.variables('brain'), ...SITE_VARIABLES };
    const consumer = startInference(secured.secure().brokers, SITE, brain);
    // In a group of its own making, and in one that --group allows.
    await read(as('shop'), TOPICS.results.segmentation.name, 'shop-1');
    const order = ['detection', '--from', 'earliest', '--duration', '8'];
    const followed = await run('shop', [FOLLOW, ...order]);
    expect(followed.output, agent.log + consumer.output()).toMatch(/^.*street/m);
    expect(await agent.stop(), agent.log).toBe(0);
    let balance = await run('ops', [BALANCE]);
    for (let tries = 0; balance.code !== 0 && tries < 3; tries++) {
      balance = await run('ops', [BALANCE]);
    }
    expect(balance.code, balance.output).toBe(0);
    expect(balance.output).toContain('street');
    expect(await consumer.stop(), consumer.output()).toBe(0);
    said.push(agent.log, consumer.output());
  });

  it('a camera may write its own topics, and nothing else', async () => {
    const gate = as('gate');
    await send(gate, TOPICS.status.name);
    const { frames, deadLetters, results } = TOPICS;
    for (const { name } of [...Object.values(results), deadLetters, NEIGHBOUR.frames]) {
      expect(await refusal(send(gate, name)), name).toMatch(NO_ACL);
    }
    for (const groupId of ['halfsight-reader-1', GROUP]) {
      expect(await refusal(read(gate, frames.name, groupId)), groupId).toMatch(NO_ACL);
    }
    expect(await refusal(gate.ensureTopics(topicSpecs(NEIGHBOUR)))).toMatch(NO_ACL);
    expect(await refusal(transact(gate, GROUP, { from: frames, to: [frames] }))).toMatch(NO_ACL);
  });

  it('with two roles, a camera still may not read frames', async () => {
    await run('admin', [ACLS, '--subscriber', 'gate', '--group', 'gate-']);
    const { frames, results } = TOPICS;
    await read(as('gate'), results.detection.name, 'gate-1');
    expect(await refusal(read(as('gate'), frames.name, 'gate-1'))).toContain('access topics');
    await run('admin', [ACLS, '--subscriber', 'gate', '--group', 'gate-', '--revoke']);
    expect(await refusal(read(as('gate'), results.detection.name, 'gate-1'))).toMatch(NO_ACL);
  });

  it('an inference consumer writes no frames and takes no other group', async () => {
    const brain = as('brain');
    expect(await refusal(send(brain, TOPICS.frames.name))).toMatch(NO_ACL);
    expect(await refusal(read(brain, TOPICS.frames.name, 'halfsight-reader-1'))).toMatch(NO_ACL);
    expect(await refusal(read(brain, TOPICS.results.detection.name, GROUP))).toMatch(NO_ACL);
    const { frames, deadLetters } = TOPICS;
    const elsewhere = transact(brain, 'another', { from: frames, to: [deadLetters] });
    expect(await refusal(elsewhere)).toMatch(NO_ACL);
  });

  it('a job backfills in groups of its own, and writes nothing live', async () => {
    const order = ['--id', 'first', '--bundle', TINY_BUNDLE, '--heads', 'detection'];
    const done = await run('night', [BACKFILL, ...order]);
    expect(done.code, done.output).toBe(0);
    expect(done.output).toMatch(/^done: .*results detection [1-9]/m);
    const { detection } = backfillTopics(TOPICS).results;
    await read(as('shop'), detection.name, 'shop-1');
    const night = as('night');
    const { frames, results, deadLetters } = TOPICS;
    // How far live consumers are, for which it is held.
    expect((await night.committedOffsets(GROUP, frames.name)).size).toBeGreaterThan(0);
    for (const { name } of [...Object.values(results), deadLetters, frames]) {
      expect(await refusal(send(night, name)), name).toMatch(NO_ACL);
    }
    expect(await refusal(read(night, frames.name, GROUP))).toMatch(NO_ACL);
    const neighbour = `${backfillGroups(NEIGHBOUR)}first`;
    expect(await refusal(transact(night, neighbour, { from: frames, to: [detection] }))).toMatch(
      NO_ACL,
    );
  });

  it('an operator may redrive, and writes no results', async () => {
    const { frames, deadLetters: from, deadLetterActions, results } = TOPICS;
    const group = redriveGroup(TOPICS);
    await transact(as('ops'), group, { from, to: [frames, deadLetterActions] });
    const forged = transact(as('ops'), group, { from, to: [results.detection] });
    expect(await refusal(forged)).toMatch(NO_ACL);
  });

  it('a subscriber reads results only, and moves no position but its own', async () => {
    const shop = as('shop');
    const { frames, results, deadLetters } = TOPICS;
    expect(await refusal(send(shop, results.detection.name))).toMatch(NO_ACL);
    expect(await refusal(read(shop, frames.name, 'shop-1'))).toMatch(NO_ACL);
    expect(await refusal(read(shop, deadLetters.name, 'shop-1'))).toMatch(NO_ACL);
    expect(await refusal(read(shop, results.detection.name, GROUP))).toMatch(NO_ACL);
  });

  it('webhooks read results in the groups of hooks, and nothing else', async () => {
    const hooks = as('hooks');
    const { frames, results } = TOPICS;
    const { name: topic } = results.detection;
    const group = `${webhookGroups(TOPICS).detection}shop`;
    await fixStart(hooks, group, topic);
    expect((await as('ops').committedOffsets(group, topic)).size).toBe(2);
    await read(hooks, topic, `${webhookGroups(TOPICS).detection}new`);
    expect(await refusal(read(hooks, frames.name, group))).toMatch(NO_ACL);
    expect(await refusal(read(hooks, topic, 'shop-1'))).toMatch(NO_ACL);
    expect(await refusal(send(hooks, topic))).toMatch(NO_ACL);
    const forged = transact(hooks, group, { from: results.detection, to: [results.detection] });
    expect(await refusal(forged)).toMatch(NO_ACL);
  });

  it('a bridge writes what it was let, in the groups of bridges, and nothing else', async () => {
    const metropolis = as('metropolis');
    const { detection: from } = TOPICS.results;
    const to = { ...from, name: 'mdx-raw' };
    await as('admin').ensureTopics([to]);
    const group = `${bridgeGroups(TOPICS).detection}onvif-mdx-raw`;
    await fixStart(metropolis, group, from.name);
    await transact(metropolis, group, { from, to: [to] });
    await read(metropolis, from.name, group);
    expect(await refusal(transact(metropolis, group, { from, to: [from] }))).toMatch(NO_ACL);
    expect(await refusal(read(metropolis, TOPICS.frames.name, group))).toMatch(NO_ACL);
  });

  it('a job exports what it may read', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-export-')), 'out.csv');
    const order = ['--format', 'csv', '--topic', 'detection', '--output', file];
    const { code, output } = await run('night', [EXPORT, ...order]);
    expect(code, output).toBe(0);
    expect(output).toMatch(/out\.csv: [1-9]\d* results/);
  });

  it('a client certificate is a user too', async () => {
    const { mutualTlsBrokers: brokers, certificates, caFile } = secured.secure();
    const card = certificates['gate-with-card'];
    const tls = { caFile, ...card };
    const gate = as('gate-with-card', { brokers, tls, sasl: undefined });
    await send(gate, TOPICS.frames.name);
    expect(await refusal(send(gate, TOPICS.results.detection.name))).toMatch(NO_ACL);
    const nameless = as('gate', { brokers, tls: { caFile }, sasl: undefined });
    expect(await refusal(nameless.openProducer())).toContain('KAFKA_TLS_CERT_FILE');
  });

  it('what is taken away is refused at once, also to those who are connected', async () => {
    const producer = await as('gate').openProducer();
    await producer.send([record(TOPICS.status.name)]);
    const agent = agentOf();
    const frames = await frameCount();
    await agent.until('it publishes', 20_000, async () => (await frameCount()) > frames);
    const taken = await run('admin', [ACLS, '--camera', 'gate', '--revoke']);
    expect(taken.output).toMatch(/^deleted {2}User:gate allow WRITE on topic .*frame/m);
    expect(await refusal(producer.send([record(TOPICS.status.name)]))).toMatch(NO_ACL);
    // The agent goes on trying, and says why: the ACL may come back while its frames wait.
    const delays = () => agent.eventsOf('publish-delayed').map(({ error }) => String(error));
    await agent.until('it is refused', 20_000, () => delays().length > 1);
    expect(delays().filter((error) => !NO_ACL.test(error))).toEqual([]);
    expect(await agent.stop(), agent.log).toBe(0);
    const [books] = agent.eventsOf('status-untold');
    const dropped = JSON.parse(String(books?.dropped)) as Record<string, number>;
    expect(dropped.shutdown).toBeGreaterThan(0);
    expect(books?.captured).toBe(Number(books?.published) + totalOf(dropped));
    said.push(agent.log);
  });
});

describe('processes that nobody lets in', () => {
  it.each([
    ['a wrong password', () => secured.variables('gate', 'not-the-secret'), 'and the password'],
    ['another authority', otherAuthority, 'KAFKA_TLS_CA_FILE must hold the authority'],
    ['an ACL that was taken away', () => ({}), 'No ACL allows this user'],
  ])('%s: the agent ends with one line of advice', async (_, variables, advice) => {
    const agent = agentOf(await variables());
    const code = await agent.exited();
    said.push(agent.log);
    expect(code, agent.log).toBe(1);
    const [failure] = agent.eventsOf('process-failed');
    expect(failure?.error).toMatch(/^broker-refused: /);
    expect(failure?.error).toContain(advice);
  });

  it('an address that is no URL: told in one line, without the password in it', async () => {
    const agent = agentOf({ SCHEMA_REGISTRY_URL: `reader:${passwords.gate}@registry` });
    expect(await agent.exited(), agent.log).toBe(2);
    said.push(agent.log);
    const [failure, ...more] = agent.log.trimEnd().split('\n');
    expect(more).toEqual([]);
    expect(failure).toMatch(/process-failed.*settings-invalid: SCHEMA_REGISTRY_URL is no URL/);
  });

  it('a wrong password: the consumer ends too', async () => {
    const variables = { ...secured.variables('brain', 'not-the-secret'), ...SITE_VARIABLES };
    const consumer = startInference(secured.secure().brokers, SITE, variables);
    await until(() => consumer.output().includes('process-failed'), 20_000, consumer.output);
    said.push(consumer.output());
    expect(consumer.output()).toMatch(/process-failed.*broker-refused: .*KAFKA_SASL_USERNAME/);
  });

  it('TLS on one side only: advice, and a warning about a login without TLS', async () => {
    const plain = as('gate', { tls: undefined }).partitionCount('any');
    await expect(plain).rejects.toMatchObject({ advice: expect.stringContaining('may want TLS') });
    expect(said.join('')).toContain('kafka-login-without-tls');
    const brokers = secured.stack().brokers;
    const reverse = as('gate', { brokers }).partitionCount('any');
    await expect(reverse).rejects.toMatchObject({
      advice: expect.stringContaining('may want TLS'),
    });
  });

  it('no output of all these holds a password', () => {
    const everything = said.join('\n');
    expect(everything).toContain('broker-refused');
    for (const password of [...Object.values(passwords), 'not-the-secret']) {
      expect(everything).not.toContain(password);
    }
  });
});

async function otherAuthority(): Promise<Record<string, string>> {
  const guard = new Guard(silentLogger);
  try {
    const directory = mkdtempSync(join(tmpdir(), 'halfsight-other-ca-'));
    const { caFile } = await createAuthority(directory, { clock: systemClock, guard });
    return { KAFKA_TLS_CA_FILE: caFile };
  } finally {
    await guard.close();
  }
}
