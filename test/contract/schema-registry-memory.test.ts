import { afterAll, beforeAll, describe } from 'vitest';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { schemaRegistryContract } from './schema-registry.ts';

describe('the schema registry in memory', () => {
  const registry = new SchemaRegistryFixture();
  let url = '';
  beforeAll(async () => {
    url = await registry.start();
  });
  afterAll(() => registry.stop());
  schemaRegistryContract({ url: () => url, judgesCompatibility: true });
});
