import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LAYERS } from './layers.ts';

/**
 * The house rules, as a test. Biome and tsc check what they can; here stands what they cannot: who
 * may import whom (types included), cycles, calls that have a better replacement here, and names.
 * Each rule has a canary: source that must be caught, so that we notice when a rule stops biting.
 */

const ROOT = join(import.meta.dirname, '..');
interface Ban {
  readonly pattern: RegExp;
  readonly allowedIn: RegExp;
  readonly instead: string;
  readonly canary: string;
}

const BANS: readonly Ban[] = [
  {
    pattern: /\bprocess\.env\b/,
    allowedIn: /^(runtime\/(settings|no-telemetry)\.ts|test\/)/,
    instead: 'readEnvironment() of runtime/settings.ts',
    canary: 'const brokers = process.env.KAFKA_BROKERS;',
  },
  {
    pattern: /\b(Date\.now|new Date\(\)|performance\.now|process\.hrtime)\b|new Date\(\)/,
    allowedIn: /^(runtime\/clock\.ts|test\/)/,
    instead: 'a Clock (runtime/clock.ts)',
    canary: 'const start = Date.now();',
  },
  {
    pattern: /(?<![.\w])set(Timeout|Interval)\(|timers\/promises/,
    allowedIn: /^(runtime\/clock\.ts|test\/)/,
    instead: 'Clock.after, every or sleep (runtime/clock.ts)',
    canary: 'setTimeout(retry, 100);',
  },
  {
    pattern: /\b(Math\.random|randomBytes|randomUUID|randomInt|getRandomValues)\b/,
    allowedIn: /^(runtime\/random\.ts|test\/)/,
    instead: 'seededRandom or freshSeed (runtime/random.ts)',
    canary: 'const jitter = Math.random();',
  },
  {
    pattern: /\bparseArgs\b/,
    allowedIn: /^(runtime\/command-line\.ts|test\/)/,
    instead: 'a CommandLine (runtime/command-line.ts)',
    canary: 'const { values } = parseArgs({ options });',
  },
  {
    pattern: /from 'kafkajs|require\('kafkajs|import\('kafkajs/,
    allowedIn: /^(runtime\/kafka\/kafkajs\.ts|test\/)/,
    instead: 'the Broker port; only runtime/kafka/kafkajs.ts loads the cured client',
    canary: "import { Kafka } from 'kafkajs';",
  },
  {
    pattern: /(from|import\() ?'onnxruntime-node'/,
    allowedIn: /^(models\/session\.ts|test\/)/,
    instead: 'openSession of models/session.ts',
    canary: "import ort from 'onnxruntime-node';",
  },
  {
    pattern: /from '#runtime\/kafka\/(?!partition\.ts)/,
    allowedIn: /^(.*\/(\w+-)*main\.ts$|runtime\/kafka\/|test\/)/,
    instead: 'the Broker port (runtime/broker.ts); only main.ts picks the adapter',
    canary: "import { openKafka } from '#runtime/kafka/kafka-broker.ts';",
  },
  {
    pattern: /from 'node:|\bBuffer\b/,
    allowedIn: /^((?!codec\/|consumers\/dashboard\/page\/)|codec\/assembly\/build\.ts$)/,
    instead: 'what every JavaScript engine has: the codec and the page run in browsers',
    canary: "import { createHash } from 'node:crypto';",
  },
  {
    pattern: /^\s*(\/\/|\*).*\b(TODO|FIXME|XXX)\b/,
    allowedIn: /^$/,
    instead: 'doing it, or saying why not',
    canary: '// TODO: handle errors',
  },
  {
    // Unit tests share a process, which loads a module once: its hooks would be the first file's.
    pattern: /^(before|after)(All|Each)\(/,
    allowedIn: /^test\/integration\/|\.test\.ts$/,
    instead: 'a function that the tests of each file call',
    canary: 'afterEach(() => server.close());',
  },
];

const BAD_NAMES = /(^|\/)(utils?|common|helpers?|misc|index)(\.tsx?$|\/)/;
const KEBAB = /^([a-z0-9]+(-[a-z0-9]+)*)(\.test|\.config|\.d)?\.(ts|tsx|mjs)$/;
const LINE_COLUMNS_MAX = 100;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

function sourceFiles(): SourceFile[] {
  const listed = spawnSync(
    'git',
    ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts', '*.tsx'],
    { cwd: ROOT, encoding: 'utf8' },
  );
  expect(listed.status, listed.stderr).toBe(0);
  return listed.stdout
    .split('\n')
    .filter((path) => path !== '')
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(ROOT, path), 'utf8') }];
      } catch {
        return []; // Deleted, not yet committed.
      }
    });
}

/** Paths, from the root, of our own modules that a file imports; types and workers included. */
function importsOf(file: SourceFile): string[] {
  const specifiers = file.text.matchAll(
    /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+|new URL\(\s*)'(#|\.\.?\/)([^']+)'/g,
  );
  return [...specifiers].map(([, start = '', rest = '']) =>
    start === '#' ? rest : normalize(join(dirname(file.path), start + rest)),
  );
}

function layerViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const layer = LAYERS.find(({ folder }) => file.path.startsWith(folder));
    if (layer === undefined) return file.path.includes('/') ? [`${file.path}: in no layer`] : [];
    return importsOf(file)
      .filter((target) => !layer.mayImport.some((prefix) => target.startsWith(prefix)))
      .map((target) => `${file.path} may not import ${target}`);
  });
}

function cycles(files: readonly SourceFile[]): string[] {
  const graph = new Map(files.map((file) => [file.path, importsOf(file)]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

function banViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    BANS.filter((ban) => !ban.allowedIn.test(file.path)).flatMap((ban) =>
      file.text.split('\n').flatMap((line, index) => {
        const isComment = /^\s*(\/\/|\*|\/\*)/.test(line);
        const applies = isComment === ban.pattern.source.includes('TODO');
        return applies && ban.pattern.test(line)
          ? [`${file.path}:${index + 1}: use ${ban.instead}: ${line.trim()}`]
          : [];
      }),
    ),
  );
}

function nameViolations(files: readonly SourceFile[]): string[] {
  return files
    .filter(
      ({ path }) => BAD_NAMES.test(path) || !KEBAB.test(path.slice(path.lastIndexOf('/') + 1)),
    )
    .map(({ path }) => `${path}: kebab-case, and a name that says what is inside`);
}

function longLines(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        line.length > LINE_COLUMNS_MAX ? [`${path}:${index + 1}: ${line.length} columns`] : [],
      ),
  );
}

const files = sourceFiles();

describe('house rules', () => {
  it('sees the source', () => {
    expect(files.length).toBeGreaterThan(30);
    expect(files.map(({ path }) => path)).toContain(relative(ROOT, import.meta.filename));
  });

  it('every import goes down the layers', () => {
    expect(layerViolations(files)).toEqual([]);
  });

  it('no import cycles, types included', () => {
    expect(cycles(files)).toEqual([]);
  });

  it('no banned call', () => {
    // This file quotes the canaries.
    expect(banViolations(files.filter(({ path }) => path !== 'test/tidy.test.ts'))).toEqual([]);
  });

  it('names', () => {
    expect(nameViolations(files)).toEqual([]);
  });

  it('lines fit', () => {
    expect(longLines(files)).toEqual([]);
  });
});

describe('canaries', () => {
  it.each(BANS.map((ban) => [ban.instead, ban] as const))('still bites: %s', (_, ban) => {
    expect(banViolations([{ path: 'codec/canary.ts', text: ban.canary }])).toHaveLength(1);
  });

  it('still sees an import that goes up, by value, by type and by worker URL', () => {
    for (const text of [
      "import { a } from '#consumers/inference/a.ts';",
      "import type { A } from '../producers/camera/a.ts';",
      "new Worker(new URL('../consumers/inference/worker.ts', import.meta.url));",
    ]) {
      expect(layerViolations([{ path: 'schemas/canary.ts', text }])).toHaveLength(1);
    }
  });

  it('still sees a cycle', () => {
    const one = { path: 'codec/one.ts', text: "import type { Two } from './two.ts';" };
    const two = { path: 'codec/two.ts', text: "import { one } from '#codec/one.ts';" };
    expect(cycles([one, two])).toEqual(['codec/one.ts -> codec/two.ts -> codec/one.ts']);
  });

  it('still sees bad names and long lines', () => {
    const file = { path: 'codec/Utils.ts', text: 'x'.repeat(LINE_COLUMNS_MAX + 1) };
    expect(nameViolations([file, { path: 'codec/utils.ts', text: '' }])).toHaveLength(2);
    expect(longLines([file])).toHaveLength(1);
  });

  it('biome still counts the lines of functions and files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'halfsight-canary-'));
    const body = Array.from({ length: 71 }, (_, line) => `  call(${line});`).join('\n');
    const long = `export function canary(call: (line: number) => void): void {\n${body}\n}\n`;
    const lines = Array.from({ length: 401 }, (_, line) => `export const n${line} = ${line};`);
    const canaries = [
      ['long-function.ts', 'noExcessiveLinesPerFunction', long],
      ['long-file.ts', 'noExcessiveLinesPerFile', lines.join('\n')],
    ] as const;
    for (const [name, , text] of canaries) writeFileSync(join(folder, name), text);
    // Both at once: each run reads the whole clone first.
    const paths = canaries.map(([name]) => join(folder, name));
    const words = ['lint', `--config-path=${join(ROOT, 'biome.json')}`, ...paths];
    const run = spawnSync('biome', words, { cwd: ROOT, encoding: 'utf8' });
    expect(run.status, run.stderr).not.toBe(0);
    for (const [name, rule] of canaries) {
      expect(run.stderr + run.stdout).toMatch(new RegExp(`${name}\\S* lint/\\w+/${rule} `));
    }
  });
});
