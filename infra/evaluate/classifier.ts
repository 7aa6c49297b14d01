import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OnnxSession, openSession } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Letterboxed } from './raster.ts';
import { type Classifier, greyPicture, TEACHER_INPUT } from './teachers.ts';

/** Of ImageNet. */
const CLASSES = 1000;
const GREY = 127;
const SCALE = 128;

/**
 * EfficientNet-lite0 and its like: RGB planes, (x - 127) / 128, logits of ImageNet's classes.
 *
 * models/training/teachers.py, Unsplit, sees the whole letterboxed picture and pools over the cells
 * of its content. A file has its pooling inside, so here it sees the content alone, at the same
 * scale: what it pools is the content, and what lies around is the zeros of its convolutions'
 * padding, which is what the letterbox's grey becomes.
 */
export async function openClassifier(file: string): Promise<Classifier> {
  const session = await openOfAnySize(file);
  const input = defined(session.inputNames[0], 'an input');
  const output = defined(session.outputNames[0], 'an output');
  const classifier: Classifier = {
    classes: CLASSES,
    async topClass(picture) {
      const { width, height } = picture.content;
      const feed = { data: contentPlanes(picture), dims: [1, 3, height, width] };
      const logits = (await session.run({ [input]: feed }))[output];
      if (!(logits?.data instanceof Float32Array) || logits.data.length !== CLASSES) {
        throw new HalfsightError(
          'bundle-invalid',
          `${file}: its output is ${logits?.dims.join('x')}, not 1x${CLASSES}.`,
          { advice: 'The classifier must tell the 1000 classes of ImageNet.' },
        );
      }
      const { data } = logits;
      return data.indexOf(data.reduce((most, value) => Math.max(most, value)));
    },
    close: () => session.close(),
  };
  try {
    await classifier.topClass(greyPicture());
  } catch (error) {
    await session.close();
    throw error;
  }
  return classifier;
}

/** ONNX Runtime insists on the size that a file names, though nothing in the network needs it. */
async function openOfAnySize(file: string): Promise<OnnxSession> {
  const options = { provider: 'cpu', threads: 1 } as const;
  const model = await readFile(file);
  const free = withFreeSize(model);
  if (free === model) return await openSession(file, options);
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-classifier-'));
  try {
    const copy = join(folder, 'classifier.onnx');
    await writeFile(copy, free);
    return await openSession(copy, options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * ONNX (onnx.proto, TensorShapeProto.Dimension) says "224" as `dim_value`, field 1, a number of two
 * bytes, and "any" as `dim_param`, field 2, a text: one of one letter is as long, so the message
 * around needs no change. The input is the only place where two of them follow each other.
 */
const SIZE_224 = Uint8Array.of(0x0a, 3, 0x08, 0xe0, 0x01, 0x0a, 3, 0x08, 0xe0, 0x01);
const SIZE_ANY = Uint8Array.of(0x0a, 3, 0x12, 1, 0x68, 0x0a, 3, 0x12, 1, 0x77);

/** A model for another size, or for any, comes back as it is. */
export function withFreeSize(model: Buffer): Buffer {
  const at = model.indexOf(SIZE_224);
  if (at < 0 || model.indexOf(SIZE_224, at + 1) >= 0) return model;
  const free = Buffer.from(model);
  free.set(SIZE_ANY, at);
  return free;
}

function contentPlanes({ pixels, content }: Letterboxed): Float32Array {
  const { x, y, width, height } = content;
  const planes = new Float32Array(3 * width * height);
  let at = 0;
  for (let channel = 0; channel < 3; channel++) {
    for (let row = y; row < y + height; row++) {
      for (let column = x; column < x + width; column++) {
        const value = pixels[(row * TEACHER_INPUT.width + column) * 3 + channel] ?? 0;
        planes[at++] = (value - GREY) / SCALE;
      }
    }
  }
  return planes;
}
