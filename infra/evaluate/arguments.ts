import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
import { isPixelCodec, PIXEL_CODEC_NAMES, type PixelCodecName } from './pixel-codecs.ts';

export const EVALUATE_USAGE = `Usage: npm run evaluate -- --bundle FOLDER --data FOLDER [options]

Measures a bundle on labelled pictures, as cameras and consumers run it: bytes a frame against
detection accuracy, for each rate point; beside it pixel codecs in front of an unsplit detector.

  --bundle FOLDER     the bundle; may be given several times, the report is named after the first
  --data FOLDER       pictures in COCO's layout: images/ and instances.json
  --detector FILE     YOLOX as ONNX with 80 classes of COCO and an input of 416 x 416; without it,
                      nothing but the bundle can be measured
  --classifier FILE   a classifier of ImageNet as ONNX, such as EfficientNet-lite0, for the column
                      top-1: how often a row's best class is its best on the uncompressed picture
  --segmenter FILE    DeepLab v3 with the 21 classes of VOC as ONNX, for the column mIoU: a row's
                      masks against its masks on the uncompressed picture
  --baselines LIST    of ${PIXEL_CODEC_NAMES.join(',')}, or none; default all
  --decoded FOLDER    pictures as another codec gave them back, with decoded.json, which says what
                      they are and how many bytes they took; may be given several times
  --out FOLDER        for report.json, report.md and plot.svg; default .halfsight/evaluate
  --limit N           only the first N pictures
  --help
`;

export interface EvaluateArguments {
  /** All paths are absolute. */
  readonly bundleDirectories: readonly string[];
  readonly dataDirectory: string;
  readonly detectorFile: string | undefined;
  readonly classifierFile: string | undefined;
  readonly segmenterFile: string | undefined;
  readonly baselines: readonly PixelCodecName[];
  readonly decodedDirectories: readonly string[];
  readonly outDirectory: string;
  readonly pictureCountMax: number | undefined;
}

/** Throws `usage-invalid`; what is inside the folders is looked at by those who read them. */
export function readEvaluateArguments(
  args: readonly string[],
  folder: string,
): EvaluateArguments | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  return {
    bundleDirectories: readFolders('--bundle', values.bundle, folder, 1),
    dataDirectory: resolve(folder, needed('--data', values.data)),
    detectorFile: readFile('--detector', values.detector, folder),
    classifierFile: readFile('--classifier', values.classifier, folder),
    segmenterFile: readFile('--segmenter', values.segmenter, folder),
    baselines: readBaselines(values.baselines),
    decodedDirectories: readFolders('--decoded', values.decoded, folder, 0),
    outDirectory: resolve(folder, values.out ?? '.halfsight/evaluate'),
    pictureCountMax: readLimit(values.limit),
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const options = {
    bundle: texts,
    data: text,
    detector: text,
    classifier: text,
    segmenter: text,
    baselines: text,
    decoded: texts,
    out: text,
    limit: text,
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function needed(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw wrong(`${name} is missing.`);
}

function readFolders(
  name: string,
  values: readonly string[] | undefined,
  folder: string,
  countMin: number,
): readonly string[] {
  const given = (values ?? []).filter((value) => value !== '');
  if (given.length < countMin) throw wrong(`${name} is missing.`);
  return [...new Set(given.map((value) => resolve(folder, value)))];
}

function readFile(name: string, value: string | undefined, folder: string): string | undefined {
  if (value === undefined) return undefined;
  const path = resolve(folder, value);
  if (isFile(path)) return path;
  throw wrong(`${name} ${value}: there is no file ${path}.`);
}

function readBaselines(text: string | undefined): readonly PixelCodecName[] {
  if (text === undefined) return PIXEL_CODEC_NAMES;
  if (text === 'none') return [];
  const names = new Set(text.split(',').map((name) => name.trim()));
  return [...names].map((name) => {
    if (isPixelCodec(name)) return name;
    const known = PIXEL_CODEC_NAMES.join(', ');
    throw wrong(`--baselines: "${name}" is not known; there are ${known}, and none.`);
  });
}

function readLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw wrong(`--limit must be a whole number from 1, but is "${text}".`);
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function wrong(message: string): HalfsightError {
  return new HalfsightError('usage-invalid', message, {
    advice: 'See npm run evaluate -- --help.',
  });
}
