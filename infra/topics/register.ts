import { RECORD_TYPES, type SchemaVersion } from '#schemas/record-type.ts';
import type { SchemaRegistry } from '#schemas/schema-registry.ts';
import {
  backfillSpecs,
  subjectOf,
  type Topic,
  type TopicTable,
  topicSpecs,
} from '#schemas/topics.ts';

/** Every version reads what any other wrote: old and new processes may run side by side. */
const RULE = 'FULL_TRANSITIVE';

/**
 * Registers all versions of our schemas, oldest first, under the subject of each topic, and holds
 * the subject to our rule; one line for each thing that was not so already.
 */
export async function registerSchemas(
  registry: SchemaRegistry,
  topics: TopicTable,
): Promise<string[]> {
  const lines: string[] = [];
  for (const topic of [...topicSpecs(topics), ...backfillSpecs(topics)]) {
    lines.push(...(await registerTopic(registry, topic)));
  }
  return lines;
}

async function registerTopic(registry: SchemaRegistry, topic: Topic): Promise<string[]> {
  const subject = subjectOf(topic);
  const lines: string[] = [];
  const [first, ...later] = RECORD_TYPES[topic.recordType].versions;
  const register = async ({ schema, number }: SchemaVersion): Promise<void> => {
    if ((await registry.idOf(subject, schema)) !== undefined) return;
    const id = await registry.register(subject, schema);
    lines.push(`schema   ${subject}: version ${number} is id ${id}`);
  };
  // Some registries have rules only for subjects that are there.
  if (first !== undefined) await register(first);
  const rule = await registry.compatibilityOf(subject);
  if (rule !== RULE) {
    await registry.setCompatibility(subject, RULE);
    lines.push(`schema   ${subject}: compatibility = ${RULE} (was ${rule ?? 'the default'})`);
  }
  for (const version of later) await register(version);
  return lines;
}
