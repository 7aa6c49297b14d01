import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { AvroSchemaObject } from '#schemas/fingerprint.ts';
import { javaExampleJars } from '#test/fixtures/example-programs.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const HISTORY = join(ROOT, 'schemas', 'history');
const PROGRAM = join(ROOT, 'test', 'referee', 'Compatibility.java');

function judge(...directories: readonly string[]): string[] {
  const options = [
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    `${javaExampleJars()}/*`,
  ];
  const said = execFileSync('java', [...options, PROGRAM, ...directories], { encoding: 'utf8' });
  return said.trimEnd().split('\n');
}

it('every version of every schema reads every other, as a registry on the JVM would say', () => {
  const directories = readdirSync(HISTORY).map((name) => join(HISTORY, name));
  const pairs = directories.reduce((sum, path) => sum + readdirSync(path).length ** 2, 0);
  expect(judge(...directories)).toEqual([`${pairs} pairs`]);
});

it('a version with a field that has no default would be told', () => {
  const directory = mkdtempSync(join(tmpdir(), 'halfsight-schemas-'));
  try {
    const text = readFileSync(join(HISTORY, 'frame', 'v1.avsc'), 'utf8');
    const { fields = [], ...rest } = JSON.parse(text) as AvroSchemaObject;
    const next = { ...rest, fields: [...fields, { name: 'gain', type: 'int' }] };
    writeFileSync(join(directory, 'v1.avsc'), text);
    writeFileSync(join(directory, 'v2.avsc'), JSON.stringify(next));
    const [trouble, count] = judge(directory);
    expect(trouble).toMatch(/v2.avsc cannot read .*v1.avsc: READER_FIELD_MISSING_DEFAULT_VALUE/);
    expect(count).toBe('4 pairs');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
