import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { registerSchemas } from '#infra/topics/register.ts';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { type Framing, singleObjectFraming } from '#schemas/framing.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { encodeResult } from '#schemas/result.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import { javaExample, pythonExample } from '#test/fixtures/example-programs.ts';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { detection } from '#test/unit/consumers/subscriber/results.ts';
import { createTopics, openBroker } from './inference-process.ts';
import { sharedStack } from './stack.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const registry = new SchemaRegistryFixture();
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill();
  await registry.stop();
});

interface Printed {
  readonly sequence: number;
  readonly camera_id: string;
  readonly detections: readonly { readonly label: string; readonly score: number }[];
}

it.each([
  ['python', pythonExample],
  ['java', javaExample],
] as const)('%s reads live results in both framings', async (language, example) => {
  const { brokers, prefix } = sharedStack(`example-${language}`);
  const topics = topicTable({ prefix, partitionCount: 2 });
  const broker = openBroker(brokers);
  await createTopics(broker, topics);
  const url = await registry.start();
  await registerSchemas(connectSchemaRegistry({ url }), topics);
  const framings = [singleObjectFraming(), await openFraming({ url }, topics)] as const;

  const topic = topics.results.detection.name;
  const [program = '', ...args] = [...example(), brokers.join(','), topic, url];
  const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const seen = new Map<number, Printed>();
  createInterface(child.stdout).on('line', (line) => {
    const printed = JSON.parse(line) as Printed;
    seen.set(printed.sequence, printed);
  });

  const source = { groupId: `${prefix}-inference`, topic: topics.frames.name, partition: 0 };
  const transactor = await broker.openTransactor(source);
  await transactor.acquire();
  const recordOf = (sequence: number, framing: Framing) => {
    const result = detection([['person', 0.75]], { sequence });
    const value = encodeResult(result, framing);
    return { topic, key: result.cameraId, value, headers: { 'frame-id': frameId(result) } };
  };
  // It sees what comes once it listens: even sequences in one framing, odd ones in the other.
  const seenOf = (kind: 0 | 1) => [...seen.keys()].filter((sequence) => sequence % 2 === kind);
  const endMs = systemClock.monotonicMs() + 60_000;
  for (let sequence = 0; seenOf(0).length === 0 || seenOf(1).length === 0; sequence += 2) {
    expect(systemClock.monotonicMs(), `seen so far: ${seen.size}`).toBeLessThan(endMs);
    const records = framings.map((framing, index) => recordOf(sequence + index, framing));
    await transactor.commit(records, sequence + 2);
    await systemClock.sleep(200);
  }
  for (const { camera_id, detections } of seen.values()) {
    expect(camera_id).toBe(detection([]).cameraId);
    expect(detections).toMatchObject([{ label: 'person', score: 0.75 }]);
  }
  await transactor.close();
});
