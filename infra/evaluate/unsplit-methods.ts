import type { Bundle } from '#models/bundle.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { decodeResult } from '#schemas/result.ts';
import type { DecodedPictures } from './decoded-pictures.ts';
import { DETECTOR_INPUT, type Detector } from './detector.ts';
import { foundBoxes, type Method, type Picture, SCORE_MIN } from './method.ts';
import {
  decodePixels,
  encodePixels,
  PIXEL_CODEC_SIDES,
  PIXEL_CODECS,
  type PixelCodecName,
} from './pixel-codecs.ts';
import { decodeRaster, letterboxRaster, type Raster } from './raster.ts';
import { frameRecord, framing, localResult } from './records.ts';
import { NO_VIEW, type Teachers, teachersView } from './teachers.ts';

export interface UnsplitOptions {
  /** Undefined: the rows stand in the table with `reason`. */
  readonly detector: Detector | undefined;
  readonly reason: string;
  readonly teachers: Teachers;
  readonly baselines: readonly PixelCodecName[];
  readonly decoded: readonly DecodedPictures[];
  /** Named in their records. */
  readonly bundle: Bundle;
  readonly clock: Clock;
}

const LOCAL = 'local computing';

/** The usual threshold for people to look at; a camera that computes itself would send these. */
const LOCAL_SCORE_MIN = 0.3;

/** Everything that is not split computing, and that it has to be compared with. */
export function unsplitMethods(options: UnsplitOptions): Method[] {
  return [
    unsplit(options),
    local(options, LOCAL_SCORE_MIN),
    local(options, SCORE_MIN),
    ...options.baselines.flatMap((codec) => codedInEveryWay(options, codec)),
    ...options.decoded.map((pictures) => decodedElsewhere(options, pictures)),
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
  const title = { name: LOCAL, setting: `score from ${scoreMin}`, remark: '' };
  return method(title, options, run);
}

function coded(
  options: UnsplitOptions,
  choice: { codec: PixelCodecName; side: number; quality: number },
): Method {
  const { codec, side, quality } = choice;
  const { bundle, teachers, clock } = options;
  const run = async ({ raster }: Picture, detecting: Detector) => {
    const startMs = clock.monotonicMs();
    const encoded = await encodePixels(raster, choice);
    const encodeMs = clock.monotonicMs() - startMs;
    const { bytes, content } = encoded;
    const input = { width: side, height: side };
    const frame = { bundle, ratePoint: 0, source: raster, input, content, bitstream: bytes };
    const recordBytes = frameRecord(frame).length;
    const receivedMs = clock.monotonicMs();
    const decoded = await decodePixels(encoded, choice);
    const seen = await asTheReceiverSees(decoded, raster, { detecting, teachers });
    const times = { encodeMs, decodeMs: clock.monotonicMs() - receivedMs };
    return { ...seen, recordBytes, codecBytes: bytes.length, times };
  };
  const setting = `side ${side}, quality ${quality}`;
  return method({ name: codec, setting, remark: teachers.remark }, options, run);
}

/** Pictures of a codec that was run elsewhere. Where one is missing the row fails, and says so. */
function decodedElsewhere(options: UnsplitOptions, coded: DecodedPictures): Method {
  const { bundle, teachers } = options;
  const run = async ({ name, raster }: Picture, detecting: Detector) => {
    const entry = coded.pictures.get(name);
    if (entry === undefined) {
      throw new HalfsightError('usage-invalid', `decoded.json of ${coded.method} lacks ${name}.`);
    }
    const decoded = await decodeRaster(entry.file);
    const content = { x: 0, y: 0, width: decoded.width, height: decoded.height };
    const side = Math.max(decoded.width, decoded.height);
    const input = { width: side, height: side };
    const bitstream = new Uint8Array(entry.bytes);
    const frame = { bundle, ratePoint: 0, source: raster, input, content, bitstream };
    const seen = await asTheReceiverSees(decoded, raster, { detecting, teachers });
    return { ...seen, recordBytes: frameRecord(frame).length, codecBytes: entry.bytes };
  };
  const { method: name, setting } = coded;
  return method({ name, setting, remark: teachers.remark }, options, run);
}

async function asTheReceiverSees(
  decoded: Raster,
  source: Raster,
  { detecting, teachers }: { readonly detecting: Detector; readonly teachers: Teachers },
) {
  const picture = await letterboxRaster(decoded, DETECTOR_INPUT, source);
  const found = foundBoxes(await detecting.detect(picture, SCORE_MIN), source);
  return { ...(await teachersView(decoded, teachers, source)), found };
}

function method(
  title: Omit<Method, 'run'>,
  { detector, reason }: UnsplitOptions,
  run: (picture: Picture, detector: Detector) => ReturnType<NonNullable<Method['run']>>,
): Method {
  if (detector === undefined) return { ...title, run: undefined, remark: reason };
  return { ...title, run: (picture) => run(picture, detector) };
}
