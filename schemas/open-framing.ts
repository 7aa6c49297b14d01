import { type Framing, registryFraming, singleObjectFraming } from './framing.ts';
import { connectSchemaRegistry } from './schema-registry.ts';
import { subjectsOf, type TopicTable } from './topics.ts';

/** How a process writes records: as the registry wants if there is one, else single-object. */
export async function openFraming(
  schemaRegistryUrl: string | undefined,
  topics: TopicTable,
): Promise<Framing> {
  if (schemaRegistryUrl === undefined) return singleObjectFraming();
  return await registryFraming(connectSchemaRegistry(schemaRegistryUrl), subjectsOf(topics));
}
