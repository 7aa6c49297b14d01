import { readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { InputGeometry } from '#producers/camera/image.ts';
import { letterbox } from '#producers/camera/letterbox.ts';
import { ffmpegArguments } from '#producers/camera/sources/ffmpeg-arguments.ts';
import { parseFfmpegLine, type StreamSize } from '#producers/camera/sources/ffmpeg-messages.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { PictureCutter, runFfmpeg } from './ffmpeg.ts';
import type { CameraFrame } from './sent-frame.ts';

export interface Clip {
  readonly name: string;
  readonly path: string;
}

const EXTENSIONS = new Set(['.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpg', '.ts', '.webm']);

/** The video files of a folder, by name. Throws `usage-invalid` where there is none. */
export function listClips(directory: string): Clip[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw new HalfsightError('usage-invalid', `--clips: ${(error as Error).message}.`);
  }
  const clips = names
    .filter((name) => EXTENSIONS.has(extname(name).toLowerCase()))
    .sort()
    .map((name) => ({ name, path: join(directory, name) }));
  if (clips.length > 0) return clips;
  throw new HalfsightError('usage-invalid', `--clips: ${directory} holds no video file.`, {
    advice: `They are known by their extensions: ${[...EXTENSIONS].join(' ')}.`,
  });
}

/**
 * The frames that a camera agent would encode: its own ffmpeg command, but as fast as the machine
 * can, where the agent plays a file in real time.
 */
export async function decodeClip(
  { name, path }: Clip,
  options: {
    readonly input: InputGeometry;
    readonly framesPerSecond: number;
    readonly frameCountMax: number | undefined;
  },
): Promise<CameraFrame[]> {
  const { input, frameCountMax } = options;
  // From its folder, so that what ffmpeg says, and reports repeat, does not tell where that lies.
  const command = ffmpegArguments({ url: `./${basename(path)}`, loop: false }, options);
  const limit = frameCountMax === undefined ? [] : ['-frames:v', String(frameCountMax)];
  const output = command.slice(-1);
  const args = [...command.slice(0, -1).filter((word) => word !== '-re'), ...limit, ...output];
  const cutter = new PictureCutter(input.width * input.height * 3);
  const sizes: StreamSize[] = [];
  await runFfmpeg(args, {
    folder: dirname(path),
    onOutput: (chunk) => cutter.take(chunk),
    onLine(line) {
      const message = parseFfmpegLine(line);
      if (message.kind === 'size') sizes.push(message.size);
    },
  });
  return cutter.pictures.map((pixels, index) => {
    const size = sizes[index];
    if (size === undefined) {
      throw new HalfsightError('codec-failed', `ffmpeg told no size of frame ${index} of ${name}.`);
    }
    const display = { width: size.width * size.pixelAspect, height: size.height };
    const source = { width: Math.max(1, Math.round(display.width)), height: size.height };
    return { pixels, content: letterbox(display, input), source };
  });
}
