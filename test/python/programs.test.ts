import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findIn, findingOf, receiveFrame, sendFrame } from '#infra/evaluate/sequence/sent-frame.ts';
import { openEngine } from '#infra/evaluate/split.ts';
import { loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { systemClock } from '#runtime/clock.ts';
import { seededRandom } from '#runtime/random.ts';

/**
 * The programs that make bundles, with the Python packages that `node infra/ensure.mjs python`
 * installs; `.ci/run` does so. Each module of models/tests is a test here.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const PYTHON = join(ROOT, '.halfsight', 'python', 'bin', 'python');
/** All of them take some minutes by themselves, but the other tests run beside them. */
const PROGRAMS_MS_MAX = 900_000;

const isInstalled = existsSync(join(ROOT, '.halfsight', 'python', '.halfsight-lock'));
if (!isInstalled) {
  process.stderr.write(
    '\nWARNING: the programs that make bundles are not tested: their Python packages are not' +
      ' installed (node infra/ensure.mjs python).\n\n',
  );
}

function runPython(...args: string[]): { status: number | null; output: string } {
  const command = ['-W', 'ignore', join(ROOT, 'models', 'run.py'), ...args];
  const { status, stdout, stderr } = spawnSync(PYTHON, command, {
    encoding: 'utf8',
    timeout: PROGRAMS_MS_MAX,
  });
  return { status, output: `${stdout}${stderr}` };
}

const modules = readdirSync(join(ROOT, 'models', 'tests'))
  .filter((name) => name.startsWith('test_') && name.endsWith('.py'))
  .map((name) => `tests.${name.slice(0, -'.py'.length)}`);

const suite = isInstalled ? 'Python' : 'Python (skipped: node infra/ensure.mjs python)';

describe.skipIf(!isInstalled)(suite, () => {
  const folder = mkdtempSync(join(tmpdir(), 'halfsight-python-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // In one process: to import what they need takes longer than most of them.
  let output = '';
  beforeAll(() => {
    ({ output } = runPython('unittest', '-v', ...modules));
    expect(output, output.slice(-6_000)).toMatch(/^(OK|FAILED \((failures|errors)=)/m);
  }, PROGRAMS_MS_MAX);

  it.each(modules)('%s', (name) => {
    const ofModule = (line: string) => line.includes(`${name}.`) || line.includes(`${name})`);
    const lines = output.split('\n').filter(ofModule);
    expect(lines.length).toBeGreaterThan(0);
    const failed = lines.filter((line) => /^(FAIL|ERROR): /.test(line));
    expect(failed, output.slice(-6_000)).toEqual([]);
  });

  it(
    'a bundle split from three small models runs in the product',
    async () => {
      const made = runPython('tests.tiny_models', folder);
      expect(made.status, made.output).toBe(0);
      const bundleFolder = join(folder, 'bundle');
      const split = runPython(
        ...['split', join(folder, 'models.json'), '--pictures', join(folder, 'pictures')],
        ...['--out', bundleFolder, '--rates', '1500,500', '--threads', '1'],
      );
      expect(split.status, split.output.slice(-6_000)).toBe(0);

      const bundle = await loadBundle(bundleFolder);
      const { width, height } = bundle.manifest.input;
      const random = seededRandom(5);
      const pixels = Uint8Array.from({ length: width * height * 3 }, () => random.integer(256));
      const content = { x: 0, y: 0, width, height };
      const frame = { pixels, content, source: { width, height } };
      const encoder = await openEncoder(bundle, { threads: 1 });
      const tasks = ['classification', 'detection', 'segmentation'] as const;
      const { engine, close } = await openEngine(bundle, tasks, systemClock);
      try {
        const sizes: number[] = [];
        for (const ratePoint of [0, 1]) {
          const { record, codecBytes } = await sendFrame(frame, ratePoint, { bundle, encoder });
          sizes.push(codecBytes);
          const found = await findIn(receiveFrame(record), engine);
          const classified = findingOf(found, 'classification')?.classifications ?? [];
          expect(classified).toHaveLength(5);
          expect(classified[0]?.label).toMatch(/^class \d$/);
          expect(findingOf(found, 'detection')?.detections.length).toBeGreaterThan(0);
          expect(findingOf(found, 'segmentation')?.masks.length).toBeGreaterThan(0);
        }
        expect(sizes[0]).toBeGreaterThan(sizes[1] ?? Number.POSITIVE_INFINITY);
      } finally {
        await close();
        await encoder.close();
      }
    },
    PROGRAMS_MS_MAX,
  );
});
