import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { eventId } from '#consumers/webhooks/event.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { encodeResult } from '#schemas/result.ts';
import { topicTable, webhookGroups } from '#schemas/topics.ts';
import { until } from '#test/fixtures/until.ts';
import { WebhookReceiver } from '#test/fixtures/webhook-receiver.ts';
import { createTopics, openBroker } from '#test/integration/inference-process.ts';
import { useStack } from '#test/integration/stack.ts';
import { detection } from '#test/unit/consumers/subscriber/results.ts';

const MAIN = join(import.meta.dirname, '../../../consumers/webhooks/main.ts');
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
const FRAMING = singleObjectFraming();
const EPOCH = 1_700_000_000_000;

const stack = useStack();
const children: ChildProcess[] = [];
const receivers: WebhookReceiver[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const receiver of receivers.splice(0)) await receiver.close();
});

/** `npm run webhooks`. */
function startWorker(hooksFile: string) {
  const child = spawn(process.execPath, [...HEAP_OPTIONS, MAIN], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      KAFKA_BROKERS: stack().brokers.join(','),
      KAFKA_TOPIC_PREFIX: 'hooks',
      REDIS_URL: defined(stack().redisUrl, 'the address of redis'),
      HALFSIGHT_WEBHOOKS: hooksFile,
    },
  });
  children.push(child);
  let output = '';
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return { child, exited, output: () => output };
}

it('every result arrives, in order, though Redis and the worker were killed', async () => {
  const topics = topicTable({ prefix: 'hooks', partitionCount: 2 });
  const topic = topics.results.detection.name;
  const broker = openBroker(stack().brokers);
  await createTopics(broker, topics);
  const receiver = new WebhookReceiver(SECRET);
  receivers.push(receiver);
  await receiver.listen();
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-hooks-'));
  writeFileSync(join(folder, 'secret'), SECRET);
  const file = join(folder, 'webhooks.yaml');
  const hook = `{name: shop, url: "${receiver.url}", topic: detection, secretFile: secret}`;
  writeFileSync(file, `hooks:\n  - ${hook}\n`);
  const producer = await broker.openProducer();
  const send = (from: number, to: number) =>
    producer.send(
      Array.from({ length: to - from }, (_, index) => {
        const result = detection([], { sequence: from + index });
        return { topic, key: 'gate', value: encodeResult(result, FRAMING), headers: {} };
      }),
    );
  const arrived = (count: number, worker: { output(): string }) =>
    until(
      () => receiver.accepted().length >= count,
      60_000,
      () => `${receiver.accepted().length} of ${count}\n${worker.output()}`,
    );

  const first = startWorker(file);
  const group = `${webhookGroups(topics).detection}shop`;
  for (let size = 0; size < 2; ) {
    await systemClock.sleep(100);
    size = (await broker.committedOffsets(group, topic).catch(() => new Map())).size;
  }
  await send(0, 20);
  await arrived(20, first);

  // What comes while Redis is away waits in Kafka.
  await stack().kill('redis', 0, { supervised: false });
  await send(20, 40);
  await systemClock.sleep(2_000);
  expect(receiver.accepted()).toHaveLength(20);
  await stack().restart('redis');
  await arrived(40, first);

  // Killed on the way of an event, which nobody overtakes.
  receiver.manner = 'hang';
  await send(40, 60);
  const before = receiver.received.length;
  await until(() => receiver.received.length > before, 30_000, first.output);
  first.child.kill('SIGKILL');
  await first.exited;
  receiver.manner = 'accept';
  const second = startWorker(file);
  await arrived(60, second);
  expect(receiver.accepted()).toEqual(
    Array.from({ length: 60 }, (_, sequence) =>
      eventId('shop', 'detection', { cameraId: 'gate', epoch: EPOCH, sequence }),
    ),
  );
  expect(receiver.received.every(({ isSignedRight }) => isSignedRight)).toBe(true);
  second.child.kill('SIGTERM');
  expect(await second.exited, second.output()).toBe(0);
});
