import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { namedHeads } from '#consumers/jobs/named-heads.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { codeOf } from '#runtime/errors.ts';
import { storeHead } from '#test/fixtures/added-head.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

const bundle = await loadBundle(TINY_BUNDLE);
const directory = await mkdtemp(join(tmpdir(), 'halfsight-heads-'));
await storeHead(directory, { version: '2', spec: { scoreMin: 0.9 } });

it('tasks are the own heads of the bundle, and so is its own version', async () => {
  const own = defined(
    bundle.manifest.heads.find(({ task }) => task === 'detection'),
    'head',
  );
  const none = { heads: undefined, replacements: undefined };
  expect(await namedHeads(undefined, bundle, undefined)).toEqual(none);
  expect(await namedHeads(['segmentation', `detection-${own.version}`], bundle, undefined)).toEqual(
    { heads: ['segmentation', 'detection'], replacements: undefined },
  );
  // Left to whoever checks the order.
  expect((await namedHeads(['pose', 'pose-2'], bundle, directory)).heads).toEqual([
    ...['pose', 'pose-2'],
  ]);
});

it('a version that came after the bundle is read from the folder of heads', async () => {
  const { heads, replacements } = await namedHeads(
    ['classification', 'detection-2'],
    bundle,
    directory,
  );
  expect(heads).toEqual(['classification', 'detection']);
  expect(replacements).toEqual({
    detection: {
      ...{ version: '2', directory: join(directory, 'detection-2') },
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    },
  });
});

it.each([
  [['detection', 'detection-2'], directory, 'usage-invalid', /two heads for detection/],
  [['detection-../secret'], directory, 'usage-invalid', /"detection-..\/secret" is no head/],
  [['detection-2'], undefined, 'usage-invalid', /folder of heads, and none is named/],
  [['detection-3'], directory, 'head-missing', /detection-3/],
] as const)('%j in %s: %s', async (names, folder, code, message) => {
  const error = await namedHeads(names, bundle, folder).catch((caught: unknown) => caught);
  expect(codeOf(error)).toBe(code);
  expect(String(error)).toMatch(message);
});
