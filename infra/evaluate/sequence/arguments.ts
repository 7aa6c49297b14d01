import { CommandLine, FLAG, TEXT, TEXTS } from '#runtime/command-line.ts';
import { LIMITS } from '#runtime/limits.ts';
import { OptionPaths } from '../option-paths.ts';

export const SEQUENCES_USAGE = `\
Usage: npm run sequences -- --bundle FOLDER --clips FOLDER [options]

Measures bundles on video clips: bytes a frame and what the heads report, at each rate point; beside
it video and picture codecs on the same frames, at the same frame rate.

  --bundle FOLDER     a bundle; may be given several times
  --clips FOLDER      video files that ffmpeg can read
  --detector FILE     YOLOX as ONNX with 80 classes of COCO and an input of 416 x 416; its boxes on
                      the uncompressed frames are what AP50 compares with. Without it: bytes alone
  --fps NUMBER        frames a second that are taken of a clip; default 5
  --limit FRAMES      only the first so many frames of a clip. A clip's frames are in memory at
                      once, half a megabyte each
  --out FOLDER        for sequences.json and sequences.md; default .halfsight/sequences
  --help
`;

const line = new CommandLine('See npm run sequences -- --help.');

export interface SequencesArguments {
  /** All paths are absolute. */
  readonly bundleDirectories: readonly string[];
  readonly clipsDirectory: string;
  readonly detectorFile: string | undefined;
  readonly framesPerSecond: number;
  readonly frameCountMax: number | undefined;
  readonly outDirectory: string;
}

/** Throws `usage-invalid`; what is inside the folders is looked at by those who read them. */
export function readSequencesArguments(
  args: readonly string[],
  folder: string,
): SequencesArguments | 'help' {
  const values = line.readOptions(args, {
    ...{ bundle: TEXTS, clips: TEXT, detector: TEXT, fps: TEXT, limit: TEXT, out: TEXT },
    help: FLAG,
  });
  if (values.help) return 'help';
  const { bundle, detector } = values;
  const paths = new OptionPaths(line, folder);
  return {
    bundleDirectories: line
      .needed('--bundle', bundle)
      .map((path) => paths.folder('--bundle', path)),
    clipsDirectory: paths.folder('--clips', values.clips),
    detectorFile: detector === undefined ? undefined : paths.file('--detector', detector),
    framesPerSecond: readRate(values.fps ?? '5'),
    frameCountMax: line.count('--limit', values.limit),
    outDirectory: paths.folder('--out', values.out ?? '.halfsight/sequences'),
  };
}

function readRate(text: string): number {
  const rate = Number(text);
  const { framesPerSecondMax } = LIMITS;
  if (rate > 0 && rate <= framesPerSecondMax) return rate;
  throw line.wrong(`--fps must be a number above 0, up to ${framesPerSecondMax}; it is "${text}".`);
}
