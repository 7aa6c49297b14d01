import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PAGES, type PageName } from '#infra/reference/pages.ts';
import { VARIABLES } from '#runtime/settings.ts';
import { backfillSpecs, topicSpecs, topicTable } from '#schemas/topics.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

describe('pages', () => {
  for (const name of Object.keys(PAGES) as PageName[]) {
    const { file, text } = PAGES[name];
    it(`${file} is what npm run --silent ${name} prints`, () => {
      expect(readFileSync(join(ROOT, file), 'utf8')).toBe(text());
    });
  }

  it('the configuration has every variable', () => {
    for (const name of Object.keys(VARIABLES)) {
      expect(PAGES.configuration.text()).toContain(`| \`${name}\` |`);
    }
  });
});

describe('the AsyncAPI document', () => {
  const document = parse(PAGES.asyncapi.text()) as {
    channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
    operations: Record<string, { channel: { $ref: string } }>;
    components: { messages: Record<string, unknown> };
  };
  const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json');
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addMetaSchema(createRequire(import.meta.url)('ajv/dist/refs/json-schema-draft-06.json'));
  const validate = ajv.compile(schema as object);

  it('is valid by the schema of AsyncAPI 3.0, which refuses mistakes', () => {
    validate(document);
    expect(validate.errors).toBeNull();
    expect(validate({ ...document, channels: { some: { addresss: 'x' } } })).toBe(false);
    const broken = structuredClone(document);
    Object.assign(broken.operations['send.camera.frame'] ?? {}, { action: 'write' });
    expect(validate(broken)).toBe(false);
  });

  it('has every topic, and references that lead somewhere', () => {
    const table = topicTable();
    const topics = [...topicSpecs(table), ...backfillSpecs(table)].map(({ name }) => name);
    expect(Object.values(document.channels).map(({ address }) => address)).toEqual(topics);
    for (const { messages } of Object.values(document.channels)) {
      for (const [name, { $ref }] of Object.entries(messages)) {
        expect($ref).toBe(`#/components/messages/${name}`);
        expect(document.components.messages[name]).toBeDefined();
      }
    }
    for (const { channel } of Object.values(document.operations)) {
      expect(document.channels[channel.$ref.replace('#/channels/', '')]).toBeDefined();
    }
  });
});
