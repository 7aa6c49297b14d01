import { CommandLine, FLAG, TEXT } from '#runtime/command-line.ts';
import { OptionPaths } from '../option-paths.ts';

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

const line = new CommandLine('See npm run passes -- --help.');

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
  const values = line.readOptions(args, {
    ...{ bundle: TEXT, data: TEXT, detector: TEXT, classifier: TEXT, segmenter: TEXT },
    ...{ limit: TEXT, repeats: TEXT, out: TEXT, help: FLAG },
  });
  if (values.help) return 'help';
  const paths = new OptionPaths(line, folder);
  return {
    bundleDirectory: paths.folder('--bundle', values.bundle),
    dataDirectory: paths.folder('--data', values.data),
    detectorFile: paths.file('--detector', values.detector),
    classifierFile: paths.file('--classifier', values.classifier),
    segmenterFile: paths.file('--segmenter', values.segmenter),
    pictureCountMax: line.count('--limit', values.limit),
    repeats: line.count('--repeats', values.repeats) ?? 5,
    outDirectory: paths.folder('--out', values.out ?? '.halfsight/passes'),
  };
}
