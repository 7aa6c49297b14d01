import { describe, expect, it } from 'vitest';
import { registerSchemas } from '#infra/topics/register.ts';
import { codeOf } from '#runtime/errors.ts';
import type { AvroSchemaObject } from '#schemas/fingerprint.ts';
import { RECORD_TYPES } from '#schemas/record-type.ts';
import { connectSchemaRegistry, type SchemaRegistry } from '#schemas/schema-registry.ts';
import { backfillSpecs, subjectOf, topicSpecs, topicTable } from '#schemas/topics.ts';

export interface RegistryOnTrial {
  readonly url: () => string;
  /** srfake calls every schema compatible. */
  readonly judgesCompatibility: boolean;
}

/** What we rely on of a server that speaks Confluent's REST protocol. */
export function schemaRegistryContract({ url, judgesCompatibility }: RegistryOnTrial): void {
  const registry = (): SchemaRegistry => connectSchemaRegistry({ url: url() });
  const { schema } = RECORD_TYPES.frame.current;

  describe('schemas', () => {
    it('get one id under all subjects, whoever registers them how often', async () => {
      const id = await registry().register('a/b value', schema);
      expect(await registry().register('a/b value', schema)).toBe(id);
      expect(await registry().register('another', schema)).toBe(id);
      expect(await registry().idOf('a/b value', schema)).toBe(id);
      expect(await registry().schemaById(id)).toEqual(schema);
    });

    it('that are not there are told from a registry that is away', async () => {
      const other = RECORD_TYPES.detection.current.schema;
      await registry().register('some', schema);
      expect(await registry().idOf('nowhere', schema)).toBeUndefined();
      expect(await registry().idOf('some', other)).toBeUndefined();
      expect(await registry().schemaById(99_999_999)).toBeUndefined();
      const guid = 'a0a0a0a0-b1b1-c2c2-d3d3-e4e4e4e4e4e4';
      expect(await registry().schemaByGuid(guid)).toBeUndefined();
    });
  });

  describe('the topics command', () => {
    it('registers every version under every topic, once, and holds them to its rule', async () => {
      const table = topicTable({ prefix: 'site' });
      const specs = [...topicSpecs(table), ...backfillSpecs(table)];
      const count = specs.reduce((sum, { recordType }) => sum + versionsOf(recordType), 0);
      const lines = await registerSchemas(registry(), table);
      expect(lines).toHaveLength(count + specs.length);
      expect(await registerSchemas(registry(), table)).toEqual([]);
      for (const topic of specs) {
        expect(await registry().compatibilityOf(subjectOf(topic))).toBe('FULL_TRANSITIVE');
        const current = RECORD_TYPES[topic.recordType].current.schema;
        expect(await registry().idOf(subjectOf(topic), current)).toBeGreaterThan(0);
      }
    });
  });

  it.runIf(judgesCompatibility)('evolves, and refuses what would break a reader', async () => {
    const subject = 'evolving';
    const { fields = [], ...rest } = schema as AvroSchemaObject;
    await registry().setCompatibility(subject, 'FULL_TRANSITIVE');
    const first = await registry().register(subject, schema);
    const added = { name: 'exposure_us', type: 'long', default: 0 };
    const second = await registry().register(subject, { ...rest, fields: [...fields, added] });
    expect(second).not.toBe(first);
    const breaking = { name: 'gain', type: 'int' };
    const refused = registry().register(subject, { ...rest, fields: [...fields, breaking] });
    expect(await refused.catch(codeOf)).toBe('schema-incompatible');
    // The field goes, and comes back with another type: that follows the last version only.
    const gone = [...fields, { name: 'gamma', type: 'double', default: 1 }];
    await registry().register(subject, { ...rest, fields: gone });
    const retyped = { ...added, type: 'string', default: '' };
    const third = registry().register(subject, { ...rest, fields: [...gone, retyped] });
    expect(await third.catch(codeOf)).toBe('schema-incompatible');
  });
}

function versionsOf(recordType: keyof typeof RECORD_TYPES): number {
  return RECORD_TYPES[recordType].versions.length;
}
