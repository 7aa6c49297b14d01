import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadAddedHead } from '#models/added-head.ts';
import { loadBundle } from '#models/bundle.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

/** The program that makes a head alone; it needs Python and no packages. */
const RUN = join(import.meta.dirname, '..', '..', 'models', 'run.py');
const isThere = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!isThere)(isThere ? 'bundling.head' : 'bundling.head (skipped: python3)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-head-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const onnx = join(TINY_BUNDLE, 'head-detection.onnx');

  function make(name: string, ...args: readonly string[]) {
    const out = join(folder, name);
    const words = ['--bundle', TINY_BUNDLE, '--version', '2', '--onnx', onnx, '--out', out];
    const run = spawnSync('python3', [RUN, 'bundling.head', ...words, ...args], {
      encoding: 'utf8',
    });
    return { out, ...run };
  }

  it('makes a head that consumers of the bundle take', async () => {
    const { out, status, stdout, stderr } = make(
      ...['mine', '--task', 'detection', '--set', 'scoreMin=0.4'],
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain(`npx halfsight heads add ${out}`);
    const head = await loadAddedHead(out, await loadBundle(TINY_BUNDLE));
    expect(head.spec).toMatchObject({ task: 'detection', version: '2', scoreMin: 0.4 });
    expect(head.labels).toEqual(['person', 'car', 'dog']);
  });

  it('takes labels of its own', async () => {
    const labels = join(folder, 'names.json');
    writeFileSync(labels, '["cat", "cow", "elk"]');
    const { out } = make('named', '--task', 'detection', '--labels', labels);
    const head = await loadAddedHead(out, await loadBundle(TINY_BUNDLE));
    expect(head.labels).toEqual(['cat', 'cow', 'elk']);
  });

  it.each([
    ['ocr', ['--task', 'ocr'], 'has no head for ocr: it has classification, detection, segm'],
    ['bare', ['--task', 'detection', '--set', 'scoreMin'], 'scoreMin is not KEY=JSON'],
    ['lost', ['--task', 'detection', '--labels', '/nowhere.json'], '/nowhere.json is no file.'],
    ['mine', ['--task', 'detection'], 'is there already.'],
  ])('says what is wrong: %s', (name, args, says) => {
    const { status, stderr, out } = make(name, ...args);
    expect(status).not.toBe(0);
    expect(stderr).toContain(says);
    expect(existsSync(out)).toBe(name === 'mine');
  });
});
