import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { asyncApiDocument } from './asyncapi.ts';
import { configurationPage } from './configuration.ts';

const PACKAGE = join(import.meta.dirname, '..', '..', 'package.json');

/** What is written from the program's own tables, and where it is kept. */
export const PAGES = {
  asyncapi: { file: 'schemas/asyncapi.yaml', text: asyncApiText },
  configuration: { file: 'infra/configuration.md', text: configurationPage },
} as const;

export type PageName = keyof typeof PAGES;

function asyncApiText(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { readonly version: string };
  const document = stringify(asyncApiDocument(version), {
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
  return `# Written by npm run --silent asyncapi; a test compares.\n${document}`;
}
