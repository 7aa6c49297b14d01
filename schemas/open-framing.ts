import { type Clock, systemClock } from '#runtime/clock.ts';
import { type Framing, singleObjectFraming } from './framing.ts';
import { registryFraming } from './registry-framing.ts';
import type { SchemaRegistrySettings } from './registry-line.ts';
import { connectSchemaRegistry } from './schema-registry.ts';
import { subjectsOf, type TopicTable } from './topics.ts';

/** How a process writes records: as the registry wants if there is one, else single-object. */
export async function openFraming(
  registry: SchemaRegistrySettings | undefined,
  topics: TopicTable,
  clock: Clock = systemClock,
): Promise<Framing> {
  if (registry === undefined) return singleObjectFraming();
  return await registryFraming(connectSchemaRegistry(registry), subjectsOf(topics), clock);
}
