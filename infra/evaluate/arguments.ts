import { CommandLine, FLAG, TEXT, TEXTS } from '#runtime/command-line.ts';
import { OptionPaths } from './option-paths.ts';
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

const line = new CommandLine('See npm run evaluate -- --help.');

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
  const values = line.readOptions(args, {
    ...{ bundle: TEXTS, data: TEXT, detector: TEXT, classifier: TEXT, segmenter: TEXT },
    ...{ baselines: TEXT, decoded: TEXTS, out: TEXT, limit: TEXT, help: FLAG },
  });
  if (values.help) return 'help';
  const { bundle, decoded = [] } = values;
  const paths = new OptionPaths(line, folder);
  const file = (name: string, value: string | undefined) =>
    value === undefined ? undefined : paths.file(name, value);
  return {
    bundleDirectories: line
      .needed('--bundle', bundle)
      .map((path) => paths.folder('--bundle', path)),
    dataDirectory: paths.folder('--data', values.data),
    detectorFile: file('--detector', values.detector),
    classifierFile: file('--classifier', values.classifier),
    segmenterFile: file('--segmenter', values.segmenter),
    baselines: readBaselines(values.baselines),
    decodedDirectories: decoded.map((path) => paths.folder('--decoded', path)),
    outDirectory: paths.folder('--out', values.out ?? '.halfsight/evaluate'),
    pictureCountMax: line.count('--limit', values.limit),
  };
}

function readBaselines(text: string | undefined): readonly PixelCodecName[] {
  if (text === undefined) return PIXEL_CODEC_NAMES;
  if (text === 'none') return [];
  const names = new Set(text.split(',').map((name) => name.trim()));
  return [...names].map((name) => {
    if (isPixelCodec(name)) return name;
    const known = PIXEL_CODEC_NAMES.join(', ');
    throw line.wrong(`--baselines: "${name}" is not known; there are ${known}, and none.`);
  });
}
