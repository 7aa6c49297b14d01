import { describe, expect, it } from 'vitest';
import { checkDims } from '#consumers/inference/heads/dims.ts';
import { loadBundle } from '#models/bundle.ts';
import type { Head } from '#models/manifest.ts';
import { defined } from '#runtime/assert.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';

const { manifest } = await loadBundle(TINY_BUNDLE);

function check(task: Head['task'], dims: Readonly<Record<string, readonly number[]>>): void {
  const spec = defined(
    manifest.heads.find((head) => head.task === task),
    task,
  );
  const tensors = Object.fromEntries(
    Object.entries(dims).map(([name, sizes]) => [name, { dims: sizes, data: [] }]),
  );
  checkDims({ spec, labels: [], tensors }, 2);
}

describe('outputs of a head', () => {
  it('may have any number of classes, boxes, rows and columns', () => {
    check('classification', { probabilities: [2, 1000] });
    check('detection', { boxes: [2, 7, 4], scores: [2, 7], classes: [2, 7] });
    check('segmentation', { class_map: [2, 32, 48] });
  });

  it.each([
    ['classification', { probabilities: [1, 3] }, '"probabilities"', '[1, 3], not [2, classes]'],
    ['classification', {}, '"probabilities"', 'missing, not [2, classes]'],
    [
      'detection',
      { boxes: [2, 4, 7], scores: [2, 7], classes: [2, 7] },
      '"boxes"',
      '[2, 4, 7], not [2, 7, 4]',
    ],
    [
      'detection',
      { boxes: [2, 7, 4], scores: [2, 7], classes: [2, 6] },
      '"classes"',
      '[2, 6], not [2, 7]',
    ],
    [
      'detection',
      { boxes: [2, 7, 4], scores: [2, 7, 80], classes: [2, 7] },
      '"scores"',
      '[2, 7, 80], not [2, boxes]',
    ],
    [
      'segmentation',
      { class_map: [2, 21, 32, 32] },
      '"class_map"',
      '[2, 21, 32, 32], not [2, rows, columns]',
    ],
  ] as const)('%s with %j is refused', (task, dims, output, says) => {
    expect(() => check(task, dims)).toThrow(
      expect.objectContaining({
        code: 'head-invalid',
        message: `output ${output} of head ${task} 1 is ${says}.`,
      }),
    );
  });
});
