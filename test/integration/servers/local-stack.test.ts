import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { startMark } from '#infra/local/process-table.ts';
import type { LocalStack } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { freshSeed } from '#runtime/random.ts';
import { useStack } from '#test/integration/stack.ts';
import { startTestStack, TEST_STACKS } from '#test/integration/start-stack.ts';

const MAIN = join(import.meta.dirname, '../../../infra/local/main.ts');

function freshDirectory(): string {
  return join(TEST_STACKS, `local-stack-${process.pid}-${freshSeed()}`);
}

function kafkaOf(stack: LocalStack): Kafka {
  return new Kafka({ brokers: [...stack.brokers], logLevel: logLevel.NOTHING });
}

async function writeRecord(stack: LocalStack, topic: string, replicas = 1): Promise<void> {
  const admin = kafkaOf(stack).admin();
  const producer = kafkaOf(stack).producer({ idempotent: true });
  await Promise.all([admin.connect(), producer.connect()]);
  const numPartitions = 1;
  await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: replicas }] });
  await producer.send({ topic, messages: [{ key: 'a', value: 'kept' }] });
  await Promise.all([admin.disconnect(), producer.disconnect()]);
}

async function readRecord(stack: LocalStack, topic: string): Promise<string | undefined> {
  const consumer = kafkaOf(stack).consumer({ groupId: `reader-${freshSeed()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const value = await new Promise<string | undefined>((resolve, reject) => {
    consumer
      .run({ eachMessage: async ({ message }) => resolve(message.value?.toString()) })
      .catch(reject);
  });
  await consumer.disconnect();
  return value;
}

async function withRedis<T>(url: string | undefined, use: (redis: Redis) => Promise<T>) {
  const redis = new Redis(defined(url, 'the address of redis'));
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

/** A stack whose owner is a process that the test can kill. */
async function startOwner(directory: string) {
  const owner = spawn(process.execPath, [MAIN, '--directory', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, HALFSIGHT_LOG_LEVEL: 'warn', HALFSIGHT_LOG_FORMAT: 'text' },
  });
  let redisUrl: string | undefined;
  for await (const line of createInterface({ input: owner.stdout })) {
    if (line.startsWith('REDIS_URL=')) {
      redisUrl = line.slice('REDIS_URL='.length);
      break;
    }
  }
  const servers = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((entry) => entry.endsWith('.pid'))
    .map((entry) => Number(readFileSync(join(directory, entry), 'utf8')));
  expect(servers).toHaveLength(2);
  const guardians = childrenOf(defined(owner.pid, 'pid')).filter((pid) => !servers.includes(pid));
  expect(guardians).toHaveLength(1);
  return { owner, redisUrl, servers, guardians };
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false; // It has ended since.
      }
    })
    .map(Number);
}

async function ending(child: ChildProcess): Promise<string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return child.signalCode ?? `exit code ${child.exitCode}`;
}

async function stillAlive(pids: readonly number[], withinMs: number): Promise<number[]> {
  const deadlineMs = systemClock.monotonicMs() + withinMs;
  for (;;) {
    const marks = await Promise.all(pids.map(startMark));
    const alive = pids.filter((_, index) => marks[index] !== undefined);
    if (alive.length === 0 || systemClock.monotonicMs() > deadlineMs) return alive;
    await systemClock.sleep(100);
  }
}

describe('one broker', () => {
  const stack = useStack();

  it('kill -9 of Kafka: back on the same port by itself, with its records', async () => {
    await writeRecord(stack(), 'survivor');
    const before = stack().pids.get('kafka-1');
    await stack().kill('kafka');
    await stack().ready();
    expect(stack().pids.get('kafka-1')).not.toBe(before);
    expect(await readRecord(stack(), 'survivor')).toBe('kept');
  });

  it('kill -9 of Redis: back on the same port by itself, with every write', async () => {
    const { redisUrl } = stack();
    await withRedis(redisUrl, (redis) => redis.set('survivor', 'kept'));
    const before = stack().pids.get('redis');
    await stack().kill('redis');
    await stack().ready();
    expect(stack().pids.get('redis')).not.toBe(before);
    expect(await withRedis(redisUrl, (redis) => redis.get('survivor'))).toBe('kept');
  });

  it('unsupervised, a killed server stays away until it is restarted', async () => {
    const pid = defined(stack().pids.get('redis'), 'pid of redis');
    await stack().kill('redis', 0, { supervised: false });
    await systemClock.sleep(500);
    expect(await startMark(pid)).toBeUndefined();
    const { redisUrl } = stack();
    await expect(
      new Redis(defined(redisUrl, 'redis'), { lazyConnect: true, retryStrategy: () => null })
        .on('error', () => undefined)
        .connect(),
    ).rejects.toThrow();
    await stack().restart('redis');
    expect(await withRedis(redisUrl, (redis) => redis.get('survivor'))).toBe('kept');
  });
});

describe('three brokers', () => {
  const stack = useStack({ brokerCount: 3, redis: false });

  it('serve a replicated topic while one is down, and take it back', async () => {
    await writeRecord(stack(), 'replicated', 3);
    await stack().kill('kafka', 0, { supervised: false });
    expect(await readRecord(stack(), 'replicated')).toBe('kept');
    await stack().restart('kafka', 0);
    await stack().ready();
  });
});

describe('the owner', () => {
  it('SIGTERM: exit code 0, no process left', async () => {
    const { owner, servers, guardians } = await startOwner(freshDirectory());
    owner.kill('SIGTERM');
    expect(await ending(owner)).toBe('exit code 0');
    expect(await stillAlive([...servers, ...guardians], 1000)).toEqual([]);
  });

  it('SIGKILL: its guardian leaves no process behind', async () => {
    const { owner, servers, guardians } = await startOwner(freshDirectory());
    owner.kill('SIGKILL');
    expect(await ending(owner)).toBe('SIGKILL');
    expect(await stillAlive([...servers, ...guardians], 15_000)).toEqual([]);
  });

  it('SIGKILL of owner and guardian: the next start ends the orphans, keeps the data', async () => {
    const directory = freshDirectory();
    const { owner, redisUrl, servers, guardians } = await startOwner(directory);
    await withRedis(redisUrl, (redis) => redis.set('survivor', 'kept'));
    for (const pid of guardians) process.kill(pid, 'SIGSTOP');
    owner.kill('SIGKILL');
    for (const pid of guardians) process.kill(pid, 'SIGKILL');
    await ending(owner);
    expect(await stillAlive(servers, 300)).toEqual(servers);

    const stack = await startTestStack({ directory });
    try {
      expect(await stillAlive(servers, 0)).toEqual([]);
      expect(await withRedis(stack.redisUrl, (redis) => redis.get('survivor'))).toBe('kept');
    } finally {
      await stack.stop();
    }
  });
});

describe('a start that cannot succeed', () => {
  it('is refused while another process runs a stack in the folder', async () => {
    const directory = freshDirectory();
    const stack = await startTestStack({ directory, brokerCount: 0 });
    try {
      await expect(startTestStack({ directory, brokerCount: 0 })).rejects.toThrow(
        `process ${process.pid} already runs a stack in ${directory}`,
      );
    } finally {
      await stack.stop();
    }
  });

  it('tells why the broker ended, and leaves no process behind', async () => {
    const directory = freshDirectory();
    const data = join(directory, 'kafka-1-of-1', 'data');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'meta.properties'), 'version=1\nnode.id=7\ncluster.id=other\n');
    const before = childrenOf(process.pid);
    await expect(startTestStack({ directory })).rejects.toMatchObject({
      code: 'stack-failed',
      message: 'kafka-1 ended before it answered (exit code 1).',
      advice: expect.stringContaining('Stored node id 7'),
    });
    const added = childrenOf(process.pid).filter((pid) => !before.includes(pid));
    expect(await stillAlive(added, 2000)).toEqual([]);
  });

  it('called off half-way, it leaves no process behind and the folder free', async () => {
    const directory = freshDirectory();
    const before = childrenOf(process.pid);
    const controller = new AbortController();
    // Called off when the first program of the start runs beside the guardian: how long a whole
    // start takes depends on the machine.
    const cancel = systemClock.every(10, () => {
      const begun = childrenOf(process.pid).filter((pid) => !before.includes(pid));
      if (begun.length >= 2) controller.abort();
    });
    await expect(startTestStack({ directory, signal: controller.signal })).rejects.toThrow(
      'called off',
    );
    cancel();
    const added = childrenOf(process.pid).filter((pid) => !before.includes(pid));
    expect(await stillAlive(added, 2000)).toEqual([]);
    const stack = await startTestStack({ directory });
    await stack.stop();
  });
});
