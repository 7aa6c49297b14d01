import { HalfsightError } from '#runtime/errors.ts';
import type { Raster } from '../raster.ts';
import { PictureCutter, runFfmpeg } from './ffmpeg.ts';

/** The opponents that know the frame before: a camera's usual codecs, set for low delay. */
interface VideoCodec {
  /** ffmpeg's name of the encoder. */
  readonly encoder: string;
  /** ffmpeg's name of the elementary stream, for its muxer and its demuxer. */
  readonly stream: string;
  /** NAL units of encoders' own messages (SEI), which no decoder needs: not counted as bytes. */
  readonly messageUnits: string;
  options(keyframeInterval: number): readonly string[];
}

export const VIDEO_CODECS = {
  'H.264': {
    encoder: 'libx264',
    stream: 'h264',
    messageUnits: '6',
    options: (interval) => [
      ...['-bf', '0', '-refs', '1', '-g', String(interval), '-keyint_min', String(interval)],
      ...['-sc_threshold', '0'],
    ],
  },
  'H.265': {
    encoder: 'libx265',
    stream: 'hevc',
    messageUnits: '39|40',
    options: (interval) => [
      '-x265-params',
      [
        ...[`bframes=0:ref=1:keyint=${interval}:min-keyint=${interval}:scenecut=0`],
        ...['pools=none:frame-threads=1:log-level=error'],
      ].join(':'),
    ],
  },
} as const satisfies Record<string, VideoCodec>;

export type VideoCodecName = keyof typeof VIDEO_CODECS;

export const VIDEO_CODEC_NAMES = Object.keys(VIDEO_CODECS) as readonly VideoCodecName[];
/** Constant rate factors: from hardly a loss to hardly a picture. */
export const VIDEO_CRFS = [24, 30, 36, 42] as const;
export const KEYFRAME_INTERVAL_S = 10;
export const VIDEO_PRESET = 'medium';

export interface VideoChoice {
  readonly codec: VideoCodecName;
  readonly crf: number;
  /** Size that is encoded, pixels; even, since chroma has half of it. */
  readonly width: number;
  readonly height: number;
  readonly framesPerSecond: number;
}

export interface VideoCoded {
  /** Of the elementary stream of all frames. */
  readonly bytes: number;
  /** As the receiver has them, in the size that was encoded. */
  readonly decoded: readonly Raster[];
}

/** Scaled, encoded and decoded. The frames are all of one size. */
export async function codeVideo(
  frames: readonly Raster[],
  choice: VideoChoice,
): Promise<VideoCoded> {
  const { width, height } = choice;
  const stream: Uint8Array[] = [];
  await runFfmpeg(encodeArguments(frames, choice), {
    input: frames.map(({ pixels }) => pixels),
    onOutput: (chunk) => stream.push(chunk),
  });
  const cutter = new PictureCutter(width * height * 3);
  await runFfmpeg(decodeArguments(choice), {
    input: stream,
    onOutput: (chunk) => cutter.take(chunk),
  });
  const decoded = cutter.pictures.map((pixels) => ({ pixels, width, height }));
  if (decoded.length !== frames.length) {
    const counts = `${decoded.length} frames for ${frames.length}`;
    throw new HalfsightError('codec-failed', `${choice.codec} gave back ${counts}.`);
  }
  return { bytes: stream.reduce((sum, chunk) => sum + chunk.length, 0), decoded };
}

const QUIET = ['-hide_banner', '-nostats', '-loglevel', 'error'];
const ONE_THREAD = ['-threads', '1', '-filter_threads', '1'];

function encodeArguments(frames: readonly Raster[], choice: VideoChoice): string[] {
  const { codec, crf, width, height, framesPerSecond } = choice;
  const { encoder, stream, messageUnits, options } = VIDEO_CODECS[codec];
  const [first = { width, height }] = frames;
  const keyframeInterval = Math.max(1, Math.round(KEYFRAME_INTERVAL_S * framesPerSecond));
  return [
    ...QUIET,
    ...['-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${first.width}x${first.height}`],
    ...['-r', String(framesPerSecond), '-i', 'pipe:0', ...ONE_THREAD],
    ...['-vf', `scale=${width}:${height}:flags=bicubic+accurate_rnd,format=yuv420p`],
    ...['-c:v', encoder, '-preset', VIDEO_PRESET, '-tune', 'zerolatency', '-crf', String(crf)],
    ...options(keyframeInterval),
    ...['-bsf:v', `filter_units=remove_types=${messageUnits}`, '-f', stream, 'pipe:1'],
  ];
}

function decodeArguments({ codec }: VideoChoice): string[] {
  return [
    ...[...QUIET, ...ONE_THREAD, '-f', VIDEO_CODECS[codec].stream, '-i', 'pipe:0'],
    ...['-fps_mode', 'passthrough', '-sws_flags', 'bicubic+accurate_rnd+full_chroma_int'],
    ...['-pix_fmt', 'rgb24', '-f', 'rawvideo', 'pipe:1'],
  ];
}

/** Why a codec cannot be used with this machine's ffmpeg; only those are in it. */
export async function missingVideoCodecs(): Promise<ReadonlyMap<VideoCodecName, string>> {
  const chunks: Uint8Array[] = [];
  await runFfmpeg(['-hide_banner', '-encoders'], { onOutput: (chunk) => chunks.push(chunk) });
  const words = new Set(Buffer.concat(chunks).toString('utf8').split(/\s+/));
  return new Map(
    VIDEO_CODEC_NAMES.map((name) => [name, VIDEO_CODECS[name].encoder] as const)
      .filter(([, encoder]) => !words.has(encoder))
      .map(([name, encoder]) => [name, `this ffmpeg was built without ${encoder}`]),
  );
}
