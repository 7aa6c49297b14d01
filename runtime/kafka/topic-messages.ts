import type { OutgoingRecord } from '../broker.ts';
import type { KafkaJs } from './kafkajs.ts';
import { partitionOf } from './partition.ts';

/** Records in the form kafkajs takes, each with its partition. */
export interface Batch {
  readonly records: readonly OutgoingRecord[];
  readonly partitions: readonly number[];
  readonly topicMessages: KafkaJs.TopicMessages[];
}

export async function toTopicMessages(
  records: readonly OutgoingRecord[],
  partitionCount: (topic: string) => Promise<number>,
): Promise<Batch> {
  const byTopic = new Map<string, { count: number; messages: KafkaJs.Message[] }>();
  const partitions: number[] = [];
  for (const { topic, key, value, headers, rawHeaders = {} } of records) {
    let entry = byTopic.get(topic);
    if (entry === undefined) {
      entry = { count: await partitionCount(topic), messages: [] };
      byTopic.set(topic, entry);
    }
    const partition = partitionOf(key, entry.count);
    partitions.push(partition);
    const raw = Object.entries(rawHeaders).map(([name, bytes]) => [name, asBuffer(bytes)]);
    const allHeaders = { ...Object.fromEntries(raw), ...headers };
    entry.messages.push({ key, value: asBuffer(value), headers: allHeaders, partition });
  }
  return {
    records,
    partitions,
    topicMessages: [...byTopic].map(([topic, { messages }]) => ({ topic, messages })),
  };
}

/**
 * The records of partitions that no answer names. kafkajs keeps answers per broker: when a leader
 * moves in mid-call to a broker that has already answered, the moved partition is written nowhere
 * and yet the call succeeds (README.md, bug D).
 */
export function unanswered(
  batch: Batch,
  answers: readonly { readonly topicName: string; readonly partition: number }[],
): readonly OutgoingRecord[] {
  const answered = new Set(answers.map(({ topicName, partition }) => `${topicName} ${partition}`));
  return batch.records.filter(
    ({ topic }, index) => !answered.has(`${topic} ${batch.partitions[index]}`),
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
