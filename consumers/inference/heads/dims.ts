import type { Head as HeadSpec } from '#models/manifest.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { HeadOutputs } from './head.ts';

/**
 * Throws `head-invalid` for a network whose outputs are not shaped as those of its task: such a one
 * would be read without an error, and make nonsense.
 */
export function checkDims(outputs: HeadOutputs<HeadSpec>, frameCount: number): void {
  const { spec } = outputs;
  switch (spec.task) {
    case 'classification':
      check(outputs, spec.outputs.probabilities, [frameCount, 'classes']);
      return;
    case 'detection': {
      const [, boxCount = 'boxes'] = outputs.tensors[spec.outputs.scores]?.dims ?? [];
      check(outputs, spec.outputs.scores, [frameCount, 'boxes']);
      check(outputs, spec.outputs.classes, [frameCount, boxCount]);
      check(outputs, spec.outputs.boxes, [frameCount, boxCount, 4]);
      return;
    }
    case 'segmentation':
      check(outputs, spec.outputs.classMap, [frameCount, 'rows', 'columns']);
  }
}

/** A word stands for any size. */
function check(
  { spec, tensors }: HeadOutputs<HeadSpec>,
  name: string,
  wanted: readonly (number | string)[],
): void {
  const dims = tensors[name]?.dims;
  const fits =
    dims?.length === wanted.length &&
    wanted.every((size, index) => typeof size === 'string' || size === dims[index]);
  if (fits) return;
  const is = dims === undefined ? 'missing' : `[${dims.join(', ')}]`;
  throw new HalfsightError(
    'head-invalid',
    `output "${name}" of head ${spec.task} ${spec.version} is ${is}, not [${wanted.join(', ')}].`,
  );
}
