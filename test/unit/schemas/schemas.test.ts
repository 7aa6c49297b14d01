import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type AvroSchema,
  type AvroSchemaObject,
  canonicalForm,
  fingerprint,
} from '#schemas/fingerprint.ts';
import { RECORD_TYPES, resolverOf, typeOfSchema } from '#schemas/record-type.ts';
import {
  backfillSpecs,
  backfillTopics,
  subjectsOf,
  topicSpecs,
  topicTable,
} from '#schemas/topics.ts';

const FOLDER = new URL('../../../schemas/', import.meta.url);

const golden = JSON.parse(
  readFileSync(new URL('../../golden/avro-records.json', import.meta.url), 'utf8'),
) as {
  samples: { schema: AvroSchema; fingerprint: string }[];
  fingerprints: { name: string; version: string; fingerprint: string; canonicalForm: string }[];
};

const types = Object.values(RECORD_TYPES);

describe('fingerprints', () => {
  it('of sample schemas are those of fastavro', () => {
    for (const sample of golden.samples) {
      const form = canonicalForm(sample.schema);
      expect(fingerprint(form), form).toBe(sample.fingerprint);
    }
  });

  it('of "null" is the one in the Avro specification', () => {
    expect(fingerprint('"null"')).toBe('8a8f25cce724dd63');
  });

  for (const type of types) {
    it(`of every version of ${type.name} are those of fastavro`, () => {
      const expected = golden.fingerprints.filter(({ name }) => name === type.name);
      expect(type.versions.map((version) => version.fingerprint)).toEqual(
        expected.map((entry) => entry.fingerprint),
      );
      expect(canonicalForm(type.current.schema)).toBe(expected.at(-1)?.canonicalForm);
    });
  }
});

describe('history', () => {
  it('has a folder for each schema and no other', () => {
    const folders = readdirSync(new URL('history/', FOLDER)).sort();
    const files = readdirSync(FOLDER).filter((file) => file.endsWith('.avsc'));
    expect(files.map((file) => file.replace('.avsc', '')).sort()).toEqual(folders);
    expect(types.map(({ name }) => name).sort()).toEqual(folders);
  });

  for (const { name, versions } of types) {
    it(`${name}.avsc is the last version in its history`, () => {
      const last = `history/${name}/v${versions.length}.avsc`;
      const text = (path: string) => readFileSync(new URL(path, FOLDER), 'utf8');
      expect(text(`${name}.avsc`)).toBe(text(last));
    });

    it(`CHANGELOG.md tells of every version of ${name}`, () => {
      const changes = readFileSync(new URL('CHANGELOG.md', FOLDER), 'utf8');
      const told = [...changes.matchAll(new RegExp(`\`${name}\` v(\\d+)`, 'g'))];
      const newestFirst = versions.map(({ number }) => String(number)).reverse();
      expect(told.map(([, number]) => number)).toEqual(newestFirst);
    });

    it(`every version of ${name} reads every other (FULL_TRANSITIVE)`, () => {
      for (const reader of versions) {
        for (const writer of versions) {
          expect(() => resolverOf(reader.type, typeOfSchema(writer.schema))).not.toThrow();
        }
      }
    });
  }

  it('a version with a field more is read by an old reader and reads an old record', () => {
    const [version] = RECORD_TYPES['camera-status'].versions;
    const old = version?.schema as AvroSchemaObject;
    const added = { name: 'firmware_version', type: 'string', default: '', doc: 'Unit: none.' };
    const newer = { ...old, fields: [...(old.fields ?? []), added] };
    const [oldType, newType] = [typeOfSchema(old), typeOfSchema(newer)];
    expect(() => oldType.createResolver(newType)).not.toThrow();
    expect(() => newType.createResolver(oldType)).not.toThrow();
    const { default: _, ...withoutDefault } = added;
    const breaking = { ...old, fields: [...(old.fields ?? []), withoutDefault] };
    expect(() => typeOfSchema(breaking).createResolver(oldType)).toThrow();
  });
});

/** Every record, enum and fixed in a schema. */
function* namedTypes(schema: AvroSchema): Generator<AvroSchemaObject> {
  if (typeof schema === 'string') return;
  if (Array.isArray(schema)) {
    for (const branch of schema) yield* namedTypes(branch);
    return;
  }
  if (schema.name !== undefined) yield schema;
  for (const field of schema.fields ?? []) yield* namedTypes(field.type);
  for (const inner of [schema.items, schema.values]) {
    if (inner !== undefined) yield* namedTypes(inner);
  }
}

describe('house rules for schemas', () => {
  for (const { name, current } of types) {
    const named = [...namedTypes(current.schema)];

    it(`${name}: every field has a doc that says its unit, and a snake_case name`, () => {
      for (const field of named.flatMap((type) => type.fields ?? [])) {
        expect(field.doc, field.name).toMatch(/Unit: |Frames? .*Unit|characters of/);
        expect(field.name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      }
    });

    it(`${name}: every enum has a default symbol, so that symbols can be added`, () => {
      for (const type of named.filter((candidate) => candidate.type === 'enum')) {
        const { default: symbol } = type as { default?: string };
        expect(symbol).toBe('unknown');
        expect(type.symbols?.[0]).toBe('unknown');
      }
    });
  }

  it('the three results share their envelope, field by field', () => {
    const envelopes = (['classification', 'detection', 'segmentation'] as const).map((task) => {
      const { fields = [] } = RECORD_TYPES[task].current.schema as AvroSchemaObject;
      const end = fields.findIndex(({ name }) => name === 'lineage');
      return fields.slice(0, end + 1);
    });
    expect(envelopes[0]).toHaveLength(13);
    expect(envelopes[1]).toEqual(envelopes[0]);
    expect(envelopes[2]).toEqual(envelopes[0]);
  });

  it('the bitstream stays the last field of a frame', () => {
    const { fields } = RECORD_TYPES.frame.current.schema as AvroSchemaObject;
    expect(fields?.at(-1)?.name).toBe('bitstream');
  });
});

describe('topics', () => {
  it('are named prefix.stage.task.v1 and have one partition count', () => {
    const table = topicTable({ prefix: 'site', partitionCount: 4, replicationFactor: 3 });
    const specs = topicSpecs(table);
    expect(specs.map(({ name }) => name)).toEqual([
      'site.camera.frame.v1',
      'site.camera.status.v1',
      'site.camera.preview.v1',
      'site.result.classification.v1',
      'site.result.detection.v1',
      'site.result.segmentation.v1',
      'site.inference.dead-letter.v1',
      'site.inference.dead-letter-action.v1',
      'site.inference.head-shadow.v1',
    ]);
    for (const spec of specs) {
      expect(spec.partitionCount).toBe(4);
      expect(spec.settings['min.insync.replicas']).toBe('2');
    }
  });

  it('of backfills are those of results and dead letters, under names of their own', () => {
    const table = topicTable({ prefix: 'site', partitionCount: 4 });
    const backfill = backfillTopics(table);
    expect(backfillSpecs(table).map(({ name }) => name)).toEqual([
      'site.result.classification.backfill.v1',
      'site.result.detection.backfill.v1',
      'site.result.segmentation.backfill.v1',
      'site.inference.dead-letter.backfill.v1',
    ]);
    expect(backfill.frames).toBe(table.frames);
    const { name, ...rest } = backfill.results.detection;
    expect({ ...table.results.detection, name }).toEqual({ name, ...rest });
  });

  it('have a subject for each record type, and record types of their own', () => {
    const table = topicTable();
    const subjects = subjectsOf(table);
    for (const { name, recordType } of topicSpecs(table)) {
      expect(subjects[recordType]).toBe(`${name}-value`);
    }
    expect(new Set(Object.values(subjects)).size).toBe(9);
  });
});
