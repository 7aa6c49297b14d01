import { detection } from '#consumers/inference/heads/detection.ts';
import type { DetectionHead } from '#models/manifest.ts';
import { openSession } from '#models/session.ts';
import type { InputGeometry } from '#producers/camera/image.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Detection } from '#schemas/result.ts';
import { COCO_CLASSES } from './coco-classes.ts';
import type { Letterboxed } from './raster.ts';

/** What the unsplit detector wants to see: YOLOX was trained with this grey around its pictures. */
export const DETECTOR_INPUT: InputGeometry = { width: 416, height: 416, fill: [114, 114, 114] };

/** A detector that nobody split. One call at a time. */
export interface Detector {
  /** `picture` is letterboxed to DETECTOR_INPUT. Boxes are fractions of the source picture. */
  detect(picture: Letterboxed, scoreMin: number): Promise<readonly Detection[]>;
  close(): Promise<void>;
}

const STRIDES = [8, 16, 32];
/** Box, objectness, and a score for each class. */
const VALUES_PER_CELL = 5 + COCO_CLASSES.length;
/** The same as models/training/evaluate.py, so that figures can be compared. */
const IOU_MAX = 0.6;

/** For the product's own reading of detections; nothing in it names a file. */
const SPEC: DetectionHead = {
  task: 'detection',
  version: '1',
  file: '',
  labels: '',
  inputs: [],
  outputs: { boxes: 'boxes', scores: 'scores', classes: 'classes' },
  scoreMin: 0,
  iouMax: IOU_MAX,
};

/** YOLOX as its authors export it: BGR planes from 0 to 255, boxes relative to their cells. */
export async function openDetector(file: string): Promise<Detector> {
  const session = await openSession(file, { provider: 'cpu', threads: 1 });
  const [input] = session.inputNames;
  const [output] = session.outputNames;
  const { width, height } = DETECTOR_INPUT;
  const cells = cellCount(width, height);
  return {
    async detect({ pixels, content }, scoreMin) {
      const feed = { data: bgrPlanes(pixels), dims: [1, 3, height, width] };
      const results = await session.run({ [defined(input, 'an input')]: feed });
      const dense = results[defined(output, 'an output')];
      const isDense = dense?.data.length === cells * VALUES_PER_CELL;
      if (!isDense || !(dense.data instanceof Float32Array)) {
        throw new HalfsightError(
          'bundle-invalid',
          `${file}: its output is ${dense?.dims.join('x')}, not 1x${cells}x${VALUES_PER_CELL}.`,
          { advice: 'The detector must be a YOLOX for 416 x 416 with the 80 classes of COCO.' },
        );
      }
      const geometry = { inputWidth: width, inputHeight: height, content };
      const tensors = decodeYolox(dense.data, width, height);
      const outputs = { spec: { ...SPEC, scoreMin }, labels: COCO_CLASSES, tensors };
      const finding = detection.read(outputs, 0, geometry);
      return finding.task === 'detection' ? finding.detections : [];
    },
    close: () => session.close(),
  };
}

/** Cells row by row, first of the finest grid; see yolox/models/yolo_head.py, decode_outputs. */
export function decodeYolox(dense: Float32Array, width: number, height: number) {
  const count = cellCount(width, height);
  const boxes = new Float32Array(count * 4);
  const scores = new Float32Array(count);
  const classes = new Int32Array(count);
  let cell = 0;
  for (const stride of STRIDES) {
    const columns = width / stride;
    for (let index = 0; index < columns * (height / stride); index++, cell++) {
      const values = dense.subarray(cell * VALUES_PER_CELL, (cell + 1) * VALUES_PER_CELL);
      const [x = 0, y = 0, logWidth = 0, logHeight = 0, objectness = 0] = values;
      const centreX = (x + (index % columns)) * stride;
      const centreY = (y + Math.floor(index / columns)) * stride;
      const halfWidth = (Math.exp(logWidth) * stride) / 2;
      const halfHeight = (Math.exp(logHeight) * stride) / 2;
      const corners = [
        centreX - halfWidth,
        centreY - halfHeight,
        centreX + halfWidth,
        centreY + halfHeight,
      ];
      boxes.set(corners, cell * 4);
      const ofClasses = values.subarray(5);
      const best = ofClasses.reduce((most, value) => Math.max(most, value), 0);
      scores[cell] = objectness * best;
      classes[cell] = Math.max(0, ofClasses.indexOf(best));
    }
  }
  return {
    boxes: { data: boxes, dims: [1, count, 4] },
    scores: { data: scores, dims: [1, count] },
    classes: { data: classes, dims: [1, count] },
  };
}

function cellCount(width: number, height: number): number {
  return STRIDES.reduce((sum, stride) => sum + (width / stride) * (height / stride), 0);
}

function bgrPlanes(pixels: Uint8Array): Float32Array {
  const size = pixels.length / 3;
  const planes = new Float32Array(pixels.length);
  for (let at = 0; at < size; at++) {
    planes[at] = pixels[at * 3 + 2] ?? 0;
    planes[size + at] = pixels[at * 3 + 1] ?? 0;
    planes[2 * size + at] = pixels[at * 3] ?? 0;
  }
  return planes;
}
