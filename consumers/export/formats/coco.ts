import { AtomicFile } from '#runtime/atomic-file.ts';
import { frameId } from '#schemas/frame.ts';
import type { Detection, Result, SegmentationMask } from '#schemas/result.ts';
import type { ExportFormat, FormatWriter } from '../format.ts';
import { Categories } from './categories.ts';
import { hundredths, millionths, pixelBox } from './pixels.ts';
import { scaleMask } from './scale-mask.ts';

/**
 * COCO's object format (https://cocodataset.org/#format-data), everything in pixels of the source
 * picture. An image is a frame, of which there is no file: `file_name` is its id. `score`, and what
 * an image says of its frame, are additions that readers of COCO pass over.
 */
export const COCO: ExportFormat = {
  name: 'coco',
  summary: 'COCO JSON: images, annotations with boxes in pixels (or RLE masks), categories',
  tasks: ['detection', 'segmentation'],
  open: async (file) => {
    const writer = new CocoWriter(file, await AtomicFile.open(`${file.path}.annotations`));
    await file.write(`{"info":{"description":"Halfsight"},"images":[`);
    return writer;
  },
};

/** Images go to the file at once, annotations to one of their own, which comes behind them. */
class CocoWriter implements FormatWriter {
  readonly #file: AtomicFile;
  readonly #annotations: AtomicFile;
  readonly #categories = new Categories();
  #imageCount = 0;
  #annotationCount = 0;

  constructor(file: AtomicFile, annotations: AtomicFile) {
    this.#file = file;
    this.#annotations = annotations;
  }

  async write(result: Result): Promise<void> {
    const id = ++this.#imageCount;
    const { sourceWidth, sourceHeight, captureTimeUs, cameraId, epoch, sequence } = result;
    const image = {
      id,
      width: sourceWidth,
      height: sourceHeight,
      file_name: frameId(result),
      date_captured: new Date(captureTimeUs / 1000).toISOString().slice(0, 19).replace('T', ' '),
      camera_id: cameraId,
      epoch,
      sequence,
      capture_time_us: captureTimeUs,
    };
    await this.#file.write(`${id === 1 ? '' : ','}\n${JSON.stringify(image)}`);
    if (result.task === 'detection') {
      for (const found of result.detections) await this.#annotate(id, found, boxOf(found, result));
    } else if (result.task === 'segmentation') {
      for (const found of result.masks) await this.#annotate(id, found, maskOf(found, result));
    }
  }

  async finish(): Promise<void> {
    await this.#file.write('\n],"annotations":[');
    await this.#file.append(this.#annotations);
    await this.#file.write(`\n],"categories":${JSON.stringify(this.#categories.list())}}\n`);
  }

  async close(): Promise<void> {
    await this.#annotations.discard();
  }

  async #annotate(
    image: number,
    found: { readonly classId: number; readonly label: string },
    shape: object,
  ): Promise<void> {
    const id = ++this.#annotationCount;
    const category = this.#categories.idOf(found);
    const annotation = { id, image_id: image, category_id: category, ...shape };
    await this.#annotations.write(`${id === 1 ? '' : ','}\n${JSON.stringify(annotation)}`);
  }
}

function boxOf({ box, score }: Detection, result: Result): object {
  const [left, top, right, bottom] = pixelBox(box, result);
  const width = hundredths(right - left);
  const height = hundredths(bottom - top);
  return {
    bbox: [left, top, width, height],
    area: hundredths(width * height),
    segmentation: [],
    iscrowd: 0,
    score: millionths(score),
  };
}

/** One mask a class and frame; it has no score. */
function maskOf({ mask }: SegmentationMask, { sourceHeight, sourceWidth }: Result): object {
  const { counts, area, box } = scaleMask(mask, sourceHeight, sourceWidth);
  return {
    bbox: box,
    area,
    segmentation: { size: [sourceHeight, sourceWidth], counts },
    iscrowd: 0,
  };
}
