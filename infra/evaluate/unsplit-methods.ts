import type { Bundle } from '#models/bundle.ts';
import { decodeResult } from '#schemas/result.ts';
import { DETECTOR_INPUT, type Detector } from './detector.ts';
import { foundBoxes, type Method, type Picture, SCORE_MIN } from './method.ts';
import {
  codePixels,
  PIXEL_CODEC_SIDES,
  PIXEL_CODECS,
  type PixelCodecName,
} from './pixel-codecs.ts';
import { letterboxRaster } from './raster.ts';
import { frameRecord, framing, localResult } from './records.ts';
import { NO_VIEW, type Teachers, teachersView } from './teachers.ts';

export interface UnsplitOptions {
  /** Undefined: the rows stand in the table with `reason`. */
  readonly detector: Detector | undefined;
  readonly reason: string;
  readonly teachers: Teachers;
  readonly baselines: readonly PixelCodecName[];
  readonly bundle: Bundle;
}

/** The usual threshold for people to look at; a camera that computes itself would send these. */
const LOCAL_SCORE_MIN = 0.3;

/** Everything that is not split computing, and that it has to be compared with. */
export function unsplitMethods(options: UnsplitOptions): Method[] {
  return [
    unsplit(options),
    local(options, LOCAL_SCORE_MIN),
    local(options, SCORE_MIN),
    ...options.baselines.flatMap((codec) => codedInEveryWay(options, codec)),
  ];
}

/** Nothing is gained by sixty rows that say why they are empty: then there is one a codec. */
function codedInEveryWay(options: UnsplitOptions, codec: PixelCodecName): Method[] {
  if (options.detector === undefined) {
    const setting = 'all sides and qualities';
    return [{ name: codec, setting, run: undefined, remark: options.reason }];
  }
  return PIXEL_CODEC_SIDES.flatMap((side) =>
    PIXEL_CODECS[codec].qualities.map((quality) => coded(options, { codec, side, quality })),
  );
}

/** Its picture is the one that the teachers saw: what they say of it is what they said. */
function unsplit(options: UnsplitOptions): Method {
  const run = async ({ raster, teachersView: view }: Picture, detecting: Detector) => {
    const picture = await letterboxRaster(raster, DETECTOR_INPUT);
    const found = foundBoxes(await detecting.detect(picture, SCORE_MIN), raster);
    return { ...view, recordBytes: undefined, codecBytes: undefined, found };
  };
  const { remark } = options.teachers;
  return method({ name: 'unsplit', setting: 'pixels as they are', remark }, options, run);
}

function local(options: UnsplitOptions, scoreMin: number): Method {
  const run = async ({ raster }: Picture, detecting: Detector) => {
    const picture = await letterboxRaster(raster, DETECTOR_INPUT);
    const record = localResult(await detecting.detect(picture, scoreMin), raster, options.bundle);
    // What was sent is what counts: read it back.
    const { detections } = decodeResult('detection', record, framing);
    const found = foundBoxes(detections, raster);
    return { ...NO_VIEW, recordBytes: record.length, codecBytes: undefined, found };
  };
  const title = { name: 'local computing', setting: `score from ${scoreMin}`, remark: '' };
  return method(title, options, run);
}

function coded(
  options: UnsplitOptions,
  choice: { codec: PixelCodecName; side: number; quality: number },
): Method {
  const { codec, side, quality } = choice;
  const { bundle, teachers } = options;
  const run = async ({ raster }: Picture, detecting: Detector) => {
    const { bytes, content, decoded } = await codePixels(raster, choice);
    const input = { width: side, height: side };
    const frame = { bundle, ratePoint: 0, source: raster, input, content, bitstream: bytes };
    const recordBytes = frameRecord(frame).length;
    const picture = await letterboxRaster(decoded, DETECTOR_INPUT, raster);
    const found = foundBoxes(await detecting.detect(picture, SCORE_MIN), raster);
    const view = await teachersView(decoded, teachers, raster);
    return { ...view, recordBytes, codecBytes: bytes.length, found };
  };
  const setting = `side ${side}, quality ${quality}`;
  return method({ name: codec, setting, remark: teachers.remark }, options, run);
}

function method(
  title: Omit<Method, 'run'>,
  { detector, reason }: UnsplitOptions,
  run: (picture: Picture, detector: Detector) => ReturnType<NonNullable<Method['run']>>,
): Method {
  if (detector === undefined) return { ...title, run: undefined, remark: reason };
  return { ...title, run: (picture) => run(picture, detector) };
}
