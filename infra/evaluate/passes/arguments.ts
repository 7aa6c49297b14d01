import { parseArgs } from 'node:util';
import { OptionValues } from '../option-values.ts';

export const PASSES_USAGE = `\
Usage: npm run passes -- --bundle FOLDER --data FOLDER --detector FILE --classifier FILE
         --segmenter FILE [options]

Compares one pass (one frame, one bitstream, the body once, three heads) with three runs of one head
each: bytes a frame, a consumer's time, accuracy. The three runs see the frame of the one pass, or
each the picture that its task is usually given; padding is masked, or not.

  --bundle FOLDER     a bundle with a square input and heads for all three tasks
  --data FOLDER       pictures in COCO's layout: images/ and instances.json
  --detector FILE     YOLOX as ONNX with 80 classes of COCO, for comparison: its mAP50 by the truth
  --classifier FILE   a classifier of ImageNet as ONNX, such as EfficientNet-lite0
  --segmenter FILE    DeepLab v3 with the 21 classes of VOC as ONNX
  --limit N           only the first N pictures
  --repeats N         how often each picture is timed at each rate point; default 5
  --out FOLDER        for passes.json and passes.md; default .halfsight/passes
  --help
`;

export interface PassesArguments {
  /** All paths are absolute. */
  readonly bundleDirectory: string;
  readonly dataDirectory: string;
  readonly detectorFile: string;
  readonly classifierFile: string;
  readonly segmenterFile: string;
  readonly pictureCountMax: number | undefined;
  readonly repeats: number;
  readonly outDirectory: string;
}

/** Throws `usage-invalid`; what is inside the folders is looked at by those who read them. */
export function readPassesArguments(
  args: readonly string[],
  folder: string,
): PassesArguments | 'help' {
  const read = new OptionValues('passes', folder);
  const values = parse(args, read);
  if (values.help) return 'help';
  const { limit } = values;
  return {
    bundleDirectory: read.folder('--bundle', values.bundle),
    dataDirectory: read.folder('--data', values.data),
    detectorFile: read.file('--detector', values.detector),
    classifierFile: read.file('--classifier', values.classifier),
    segmenterFile: read.file('--segmenter', values.segmenter),
    pictureCountMax: limit === undefined ? undefined : read.count('--limit', limit),
    repeats: read.count('--repeats', values.repeats ?? '5'),
    outDirectory: read.folder('--out', values.out ?? '.halfsight/passes'),
  };
}

function parse(args: readonly string[], read: OptionValues) {
  const text = { type: 'string' } as const;
  const options = {
    ...{ bundle: text, data: text, detector: text, classifier: text, segmenter: text },
    ...{ limit: text, repeats: text, out: text },
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw read.wrong(`${(error as Error).message}.`);
  }
}
