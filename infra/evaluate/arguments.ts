import { parseArgs } from 'node:util';
import { OptionValues } from './option-values.ts';
import { isPixelCodec, PIXEL_CODEC_NAMES, type PixelCodecName } from './pixel-codecs.ts';

export const EVALUATE_USAGE = `Usage: npm run evaluate -- --bundle FOLDER --data FOLDER [options]

Measures a bundle on labelled pictures, as cameras and consumers run it: bytes a frame against
detection accuracy, for each rate point; beside it pixel codecs in front of an unsplit detector.

  --bundle FOLDER     the bundle; more of them are opponents of the first, which names the report
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
  const read = new OptionValues('evaluate', folder);
  const values = parse(args, read);
  if (values.help) return 'help';
  const { bundle: bundles = [], decoded = [], limit } = values;
  if (bundles.length === 0) throw read.wrong('--bundle is missing.');
  const file = (name: string, value: string | undefined) =>
    value === undefined ? undefined : read.file(name, value);
  return {
    bundleDirectories: bundles.map((bundle) => read.folder('--bundle', bundle)),
    dataDirectory: read.folder('--data', values.data),
    detectorFile: file('--detector', values.detector),
    classifierFile: file('--classifier', values.classifier),
    segmenterFile: file('--segmenter', values.segmenter),
    baselines: readBaselines(values.baselines, read),
    decodedDirectories: decoded.map((each) => read.folder('--decoded', each)),
    outDirectory: read.folder('--out', values.out ?? '.halfsight/evaluate'),
    pictureCountMax: limit === undefined ? undefined : read.count('--limit', limit),
  };
}

function parse(args: readonly string[], read: OptionValues) {
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
    throw read.wrong(`${(error as Error).message}.`);
  }
}

function readBaselines(text: string | undefined, read: OptionValues): readonly PixelCodecName[] {
  if (text === undefined) return PIXEL_CODEC_NAMES;
  if (text === 'none') return [];
  const names = new Set(text.split(',').map((name) => name.trim()));
  return [...names].map((name) => {
    if (isPixelCodec(name)) return name;
    const known = PIXEL_CODEC_NAMES.join(', ');
    throw read.wrong(`--baselines: "${name}" is not known; there are ${known}, and none.`);
  });
}
