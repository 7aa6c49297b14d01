import { HalfsightError } from '#runtime/errors.ts';
import type { AvroSchema } from './fingerprint.ts';
import { type RegistryAnswer, RegistryLine, type SchemaRegistrySettings } from './registry-line.ts';

/**
 * What we need of a schema registry's REST interface, as Confluent defined it and Karapace,
 * Redpanda and Apicurio (its `ccompat` address) answer it. Every call rejects with
 * `schema-registry-unavailable` when no answer came that means anything.
 */
export interface SchemaRegistry {
  /** The id of a schema under a subject; registers it if it is new there. */
  register(subject: string, schema: AvroSchema): Promise<number>;
  /** Undefined: it is not registered under this subject. */
  idOf(subject: string, schema: AvroSchema): Promise<number | undefined>;
  /** Undefined if the registry has no such id, or no Avro schema under it. */
  schemaById(id: number): Promise<AvroSchema | undefined>;
  /** The same by the name that a schema has in every registry. */
  schemaByGuid(guid: string): Promise<AvroSchema | undefined>;
  /** The rule for new versions of a subject; undefined: it has none of its own. */
  compatibilityOf(subject: string): Promise<string | undefined>;
  setCompatibility(subject: string, rule: string): Promise<void>;
}

export function connectSchemaRegistry(settings: SchemaRegistrySettings): SchemaRegistry {
  const line = new RegistryLine(settings);
  const posted = (schema: AvroSchema) => ({ schema: JSON.stringify(schema) });
  const under = (subject: string) => `/subjects/${encodeURIComponent(subject)}`;
  const configOf = (subject: string) => `/config/${encodeURIComponent(subject)}`;
  return {
    async register(subject, schema) {
      const answer = await line.call('POST', `${under(subject)}/versions`, posted(schema));
      if (answer.status === 409) {
        const message = `the schema registry refuses our schema for ${subject}: ${answer.text}`;
        throw new HalfsightError('schema-incompatible', message, {
          advice: 'Use another topic prefix, or a version whose schemas follow those there.',
        });
      }
      return numberIn(answer, 'id');
    },
    async idOf(subject, schema) {
      const answer = await line.call('POST', under(subject), posted(schema));
      return answer.isNotThere ? undefined : numberIn(answer, 'id');
    },
    async schemaById(id) {
      return schemaIn(await line.call('GET', `/schemas/ids/${id}`));
    },
    async schemaByGuid(guid) {
      return schemaIn(await line.call('GET', `/schemas/guids/${guid}`));
    },
    async compatibilityOf(subject) {
      const answer = await line.call('GET', configOf(subject));
      return answer.isNotThere ? undefined : textIn(answer, 'compatibilityLevel');
    },
    async setCompatibility(subject, compatibility) {
      textIn(await line.call('PUT', configOf(subject), { compatibility }), 'compatibility');
    },
  };
}

function numberIn(answer: RegistryAnswer, field: string): number {
  const value = answer.json()[field];
  if (typeof value !== 'number') throw answer.unusable(`its answer has no "${field}".`);
  return value;
}

function textIn(answer: RegistryAnswer, field: string): string {
  const value = answer.json()[field];
  if (typeof value !== 'string') throw answer.unusable(`its answer has no "${field}".`);
  return value;
}

function schemaIn(answer: RegistryAnswer): AvroSchema | undefined {
  if (answer.isNotThere) return undefined;
  if ((answer.json().schemaType ?? 'AVRO') !== 'AVRO') return undefined;
  try {
    return JSON.parse(textIn(answer, 'schema')) as AvroSchema;
  } catch (error) {
    if (error instanceof HalfsightError) throw error;
    return undefined;
  }
}
