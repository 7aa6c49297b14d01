import { parseArgs } from 'node:util';
import { LIMITS } from '#runtime/limits.ts';
import { OptionValues } from '../option-values.ts';

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
  const read = new OptionValues('sequences', folder);
  const values = parse(args, read);
  if (values.help) return 'help';
  const { bundle: bundles = [], detector, limit } = values;
  if (bundles.length === 0) throw read.wrong('--bundle is missing.');
  return {
    bundleDirectories: bundles.map((bundle) => read.folder('--bundle', bundle)),
    clipsDirectory: read.folder('--clips', values.clips),
    detectorFile: detector === undefined ? undefined : read.file('--detector', detector),
    framesPerSecond: readRate(values.fps ?? '5', read),
    frameCountMax: limit === undefined ? undefined : read.count('--limit', limit),
    outDirectory: read.folder('--out', values.out ?? '.halfsight/sequences'),
  };
}

function parse(args: readonly string[], read: OptionValues) {
  const text = { type: 'string' } as const;
  const options = {
    bundle: { type: 'string', multiple: true },
    clips: text,
    detector: text,
    fps: text,
    limit: text,
    out: text,
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw read.wrong(`${(error as Error).message}.`);
  }
}

function readRate(text: string, read: OptionValues): number {
  const rate = Number(text);
  const { framesPerSecondMax } = LIMITS;
  if (rate > 0 && rate <= framesPerSecondMax) return rate;
  throw read.wrong(`--fps must be a number above 0, up to ${framesPerSecondMax}; it is "${text}".`);
}
