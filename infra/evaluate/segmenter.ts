import { contentCells } from '#consumers/inference/heads/segmentation.ts';
import { openSession } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Rectangle } from '#schemas/frame.ts';
import { type ClassMap, nearestCells } from './confusion.ts';
import { resizeRaster } from './raster.ts';
import { greyPicture, type Segmenter, TEACHER_INPUT } from './teachers.ts';

/** PASCAL VOC's, in the order of models' outputs. */
const VOC_CLASSES = [
  ...['background', 'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair'],
  ...['cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa'],
  ...['train', 'tvmonitor'],
];
/** Of DeepLab's input, and of its map. */
const SIDE = 513;
/** Of the grid that maps are compared on: models/training/metrics.py, and our bundle, have it. */
const CELLS = 208;

/** DeepLab v3 with its argmax inside: RGB bytes [1,513,513,3] to class ids [1,513,513]. */
export async function openSegmenter(file: string): Promise<Segmenter> {
  const session = await openSession(file, { provider: 'cpu', threads: 1 });
  const input = defined(session.inputNames[0], 'an input');
  const output = defined(session.outputNames[0], 'an output');
  const segmenter: Segmenter = {
    async classMap({ pixels, content }) {
      const { width, height } = TEACHER_INPUT;
      const scaled = await resizeRaster({ pixels, width, height }, SIDE, SIDE);
      const feed = { data: scaled.pixels, dims: [1, SIDE, SIDE, 3] };
      const map = (await session.run({ [input]: feed }))[output];
      if (map?.data.length !== SIDE * SIDE || !map.data.every(isVocClass)) {
        throw new HalfsightError(
          'bundle-invalid',
          `${file}: its output is ${map?.dims.join('x')}, not class ids of 1x${SIDE}x${SIDE}.`,
          { advice: 'The segmenter must be a DeepLab with the 21 classes of PASCAL VOC.' },
        );
      }
      return contentMap(Uint8Array.from(map.data, Number), content);
    },
    close: () => session.close(),
  };
  try {
    await segmenter.classMap(greyPicture());
  } catch (error) {
    await session.close();
    throw error;
  }
  return segmenter;
}

/** The part of the network's map where the picture is, in cells of the common grid. */
export function contentMap(map: Uint8Array, content: Rectangle): ClassMap {
  const { width: inputWidth, height: inputHeight } = TEACHER_INPUT;
  const crop = contentCells({ inputWidth, inputHeight, content }, CELLS, CELLS);
  const at = nearestCells(CELLS, SIDE);
  const rows = at.slice(crop.y, crop.y + crop.height);
  const columns = at.slice(crop.x, crop.x + crop.width);
  const classIds = Uint8Array.from(
    rows.flatMap((row) => columns.map((column) => map[row * SIDE + column] ?? 0)),
  );
  return { width: columns.length, height: rows.length, classIds, labels: VOC_CLASSES };
}

function isVocClass(value: number | bigint): boolean {
  return value >= 0 && value < VOC_CLASSES.length && Number.isInteger(Number(value));
}
