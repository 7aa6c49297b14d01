import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, matchesGlob, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defined } from '#runtime/assert.ts';
import { HEAP_OPTIONS } from '#runtime/heap.ts';
import packageFile from '../../../../package.json' with { type: 'json' };

/** Building the images takes an engine, or infra/images/check.sh; here is what their text says. */

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const IMAGES = join(ROOT, 'infra', 'images');
const DOCKERFILE = readFileSync(join(IMAGES, 'Dockerfile'), 'utf8');
const HADOLINT = join(ROOT, '.halfsight', 'tools', 'bin', 'hadolint');

/** Of each target: its instructions. */
const stages = new Map(
  DOCKERFILE.split(/^(?=FROM )/m)
    .slice(1)
    .map((text) => [defined(/ AS (\S+)/.exec(text)?.[1], 'the name of a stage'), text] as const),
);
const targets = [...stages].filter(([, text]) => text.startsWith('FROM process AS'));
const entryOf = (text: string) => /^ENTRYPOINT \["node", "(\S+)"\]$/m.exec(text)?.[1];

describe('infra/images/Dockerfile', () => {
  const hasLinter = existsSync(HADOLINT);
  if (!hasLinter) {
    process.stderr.write(
      '\nWARNING: the Dockerfile is not linted: node infra/ensure.mjs tools\n\n',
    );
  }
  it.skipIf(!hasLinter)('is as hadolint wants it', () => {
    const { stdout, status } = spawnSync(HADOLINT, [join(IMAGES, 'Dockerfile')], {
      encoding: 'utf8',
    });
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });

  it('has the Node and the ONNX Runtime of package.json', () => {
    const { node, 'onnxruntime-node': runtime } = packageFile.dependencies;
    expect(DOCKERFILE).toContain(`ARG NODE_IMAGE=node:${node}-bookworm-slim\n`);
    const wheels = readFileSync(join(IMAGES, 'cuda-requirements.txt'), 'utf8');
    expect(wheels).toContain(`\nonnxruntime-gpu==${runtime} --hash=sha256:`);
    const pinned = wheels.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    for (const line of pinned)
      expect(line).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  });

  it('ends in images without a shell, with a user, a bounded heap and a health check', () => {
    const base = defined(stages.get('process'), 'the base of all processes');
    expect(base).toMatch(/^FROM scratch AS process$/m);
    expect(base).toMatch(/^USER 10001:10001$/m);
    expect(base).toMatch(
      /^HEALTHCHECK .*\\\n {2}CMD \["node", "infra\/images\/health-check\.ts"\]$/m,
    );
    expect(base).toContain(`NODE_OPTIONS="${HEAP_OPTIONS.join(' ')}"`);
    expect(targets.map(([name]) => name)).toEqual([
      ...['consumer', 'consumer-cuda', 'wall', 'webhooks', 'jobs', 'control', 'agent', 'tools'],
    ]);
    for (const [name, text] of targets) {
      expect(text, name).not.toMatch(/^(RUN|USER|SHELL|ADD)/m);
    }
  });

  it('downloads nothing but packages that are pinned', () => {
    expect(DOCKERFILE).not.toMatch(/curl|wget|^ADD/m);
    for (const [, image] of DOCKERFILE.matchAll(/^FROM (?:\$\{)?(\w+)/gm)) {
      expect(['NODE_IMAGE', 'scratch', 'process']).toContain(image);
    }
  });
});

describe('what an image holds', () => {
  it.each(targets.map(([name, text]) => [name, entryOf(text)] as const))(
    '%s: everything that %s imports',
    (_, entry) => {
      const files = closureOf(join(ROOT, defined(entry, 'an entry point')));
      expect(files.size).toBeGreaterThan(30);
      const missing = [...files]
        .map((file) => relative(ROOT, file))
        .filter((file) => !isSent(file) || !isCopied(file));
      expect(missing).toEqual([]);
    },
  );

  it('a file that is left out would be found', () => {
    expect(isSent('infra/local/stack.ts')).toBe(false);
    expect(isSent('test/run.ts')).toBe(false);
    expect(isSent('models/bundles/halfsight-lite0/body.onnx')).toBe(true);
    expect(isSent('node_modules/kafkajs/index.js')).toBe(false);
  });
});

/** Files of this project that a module loads, also late. */
function closureOf(entry: string, seen = new Set<string>()): ReadonlySet<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const source = readFileSync(entry, 'utf8').replaceAll(/^import type [^;]*;$/gm, '');
  const loads = /(?:from|import\(|^import) ?\(?['"]([#.][^'"]+)['"]|new URL\('(\.[^']+)'/gm;
  for (const [, imported, url] of source.matchAll(loads)) {
    const name = imported ?? url ?? '';
    const file = name.startsWith('#') ? join(ROOT, name.slice(1)) : join(dirname(entry), name);
    if (existsSync(file) && /\.m?ts$/.test(file)) closureOf(file, seen);
    else if (existsSync(file)) seen.add(file);
  }
  return seen;
}

/** By Dockerfile.dockerignore, whose last line that matches counts. */
function isSent(file: string): boolean {
  const lines = readFileSync(join(IMAGES, 'Dockerfile.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const parents = file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
  let isIgnored = false;
  for (const line of lines) {
    const pattern = line.replace(/^!/, '');
    if (parents.some((path) => matchesGlob(path, pattern))) isIgnored = !line.startsWith('!');
  }
  return !isIgnored;
}

/** By the COPY lines of the stage `app`. */
function isCopied(file: string): boolean {
  const app = defined(stages.get('app'), 'the stage with the project');
  const copied = [...app.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
    ([, sources]) => sources?.split(' ') ?? [],
  );
  return copied.some((source) => file === source || file.startsWith(`${source}/`));
}
