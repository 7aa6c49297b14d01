import type { Bundle } from '#models/bundle.ts';
import { DETECTOR_INPUT, type Detector } from '../detector.ts';
import { SCORE_MIN } from '../method.ts';
import { decodePixels, encodePixels, type PixelCodecName } from '../pixel-codecs.ts';
import { letterboxRaster, type Raster } from '../raster.ts';
import { frameRecord } from '../records.ts';
import {
  type ClipMethod,
  type ClipOutcome,
  type FrameReport,
  fractionBoxes,
} from './clip-method.ts';
import { type ClipReader, contentOf } from './clip-reader.ts';
import type { CameraFrame } from './sent-frame.ts';
import { codeVideo, VIDEO_CODEC_NAMES, VIDEO_CRFS, type VideoCodecName } from './video-codecs.ts';

export interface PixelMethodOptions {
  /** Undefined: bytes alone are measured. */
  readonly detector: Detector | undefined;
  readonly missingVideoCodecs: ReadonlyMap<VideoCodecName, string>;
  /** Names what pictures' records are filled with. */
  readonly bundle: Bundle;
}

/** The usual threshold for people to look at; from it on the detector's boxes are the truth. */
export const DETECTOR_SCORE_MIN = 0.3;
/** Longest side of what is encoded. */
export const PIXEL_SIDES = [416, 256] as const;
/** Both take each frame for itself. */
const PICTURE_QUALITIES = {
  jpeg: [10, 20, 40],
  webp: [1, 10, 30],
} as const satisfies Partial<Record<PixelCodecName, readonly number[]>>;

type PictureCodecName = keyof typeof PICTURE_QUALITIES;

/** Everything that sends pixels, and a detector that sees what arrives. */
export function pixelMethods(options: PixelMethodOptions): ClipMethod[] {
  const { detector, missingVideoCodecs } = options;
  const remark = detector === undefined ? 'bytes alone: needs --detector' : '';
  const common = { scoreMin: DETECTOR_SCORE_MIN, remark };
  const videos = VIDEO_CODEC_NAMES.flatMap((name): ClipMethod[] => {
    const missing = missingVideoCodecs.get(name);
    if (missing !== undefined) {
      return [{ ...common, name, setting: 'all', run: undefined, remark: missing }];
    }
    return PIXEL_SIDES.flatMap((side) =>
      VIDEO_CRFS.map((crf) => ({
        ...{ ...common, name, setting: `side ${side}, crf ${crf}` },
        run: (reader) => runVideo(reader, { codec: name, side, crf }, detector),
      })),
    );
  });
  const pictures = (Object.keys(PICTURE_QUALITIES) as PictureCodecName[]).flatMap((name) =>
    PIXEL_SIDES.flatMap((side) =>
      PICTURE_QUALITIES[name].map(
        (quality): ClipMethod => ({
          ...{ ...common, name, setting: `side ${side}, quality ${quality}` },
          run: (reader) => runPictures(reader, { codec: name, side, quality }, options),
        }),
      ),
    ),
  );
  return [unsplit(detector), ...videos, ...pictures];
}

/** The detector on the pixels as they are: what all others are compared with. */
function unsplit(detector: Detector | undefined): ClipMethod {
  return {
    name: 'unsplit',
    setting: 'pixels as they are',
    run:
      detector &&
      (async (reader) => {
        const frames = await reader.frames(DETECTOR_INPUT);
        const reports: FrameReport[] = [];
        for (const frame of frames) {
          reports.push({ found: fractionBoxes(await detector.detect(frame, SCORE_MIN)) });
        }
        return { frames: frames.length, recordBytes: [], codecBytes: [], reports };
      }),
    remark: detector === undefined ? 'needs --detector' : '',
    scoreMin: DETECTOR_SCORE_MIN,
  };
}

async function runVideo(
  reader: ClipReader,
  { codec, side, crf }: { codec: VideoCodecName; side: number; crf: number },
  detector: Detector | undefined,
): Promise<ClipOutcome> {
  const frames = await reader.frames(DETECTOR_INPUT);
  const rasters = frames.map((frame) => contentOf(frame, DETECTOR_INPUT));
  const size = evenSize(frames, side);
  const { framesPerSecond } = reader;
  const { bytes, decoded } = await codeVideo(rasters, { codec, crf, ...size, framesPerSecond });
  const reports: FrameReport[] = [];
  for (const [index, frame] of frames.entries()) {
    reports.push(...(await detectDecoded(decoded[index], frame, detector)));
  }
  return { frames: frames.length, recordBytes: [], codecBytes: [], streamBytes: bytes, reports };
}

function evenSize(frames: readonly CameraFrame[], side: number) {
  const { width, height } = frames[0]?.content ?? { width: side, height: side };
  const scale = side / Math.max(width, height);
  const even = (length: number) => Math.max(2, 2 * Math.round((length * scale) / 2));
  return { width: even(width), height: even(height) };
}

async function runPictures(
  reader: ClipReader,
  choice: { codec: PictureCodecName; side: number; quality: number },
  { detector, bundle }: PixelMethodOptions,
): Promise<ClipOutcome> {
  const frames = await reader.frames(DETECTOR_INPUT);
  const recordBytes: number[] = [];
  const codecBytes: number[] = [];
  const reports: FrameReport[] = [];
  const input = { width: choice.side, height: choice.side };
  for (const frame of frames) {
    const raster = contentOf(frame, DETECTOR_INPUT);
    const encoded = await encodePixels(raster, choice);
    const { bytes, content } = encoded;
    const decoded = await decodePixels(encoded, choice);
    const { source } = frame;
    const record = { bundle, ratePoint: 0, source, input, content, bitstream: bytes };
    recordBytes.push(frameRecord(record).length);
    codecBytes.push(bytes.length);
    reports.push(...(await detectDecoded(decoded, frame, detector)));
  }
  return { frames: frames.length, recordBytes, codecBytes, reports };
}

/** Scaled to where the frame lies in the detector's input, whatever was rounded on the way. */
async function detectDecoded(
  decoded: Raster | undefined,
  { content }: CameraFrame,
  detector: Detector | undefined,
): Promise<FrameReport[]> {
  if (detector === undefined || decoded === undefined) return [];
  const picture = await letterboxRaster(decoded, DETECTOR_INPUT, content);
  return [{ found: fractionBoxes(await detector.detect(picture, SCORE_MIN)) }];
}
