import type { Engine } from '#consumers/inference/engine.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import type { Bundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import type { Clock } from '#runtime/clock.ts';
import { TASKS } from '#schemas/result.ts';
import { canonicalLabel } from '../coco-classes.ts';
import { openEngine } from '../split.ts';
import {
  type ClipMethod,
  type ClipOutcome,
  type FrameReport,
  fractionBoxes,
} from './clip-method.ts';
import type { ClipReader } from './clip-reader.ts';
import { findIn, findingOf, receiveFrame, sendFrame } from './sent-frame.ts';

interface BundleParts {
  readonly bundle: Bundle;
  readonly encoder: Encoder;
  readonly engine: Engine;
}

/** A bundle as cameras and consumers run it, a row for each rate point. */
export async function openBundleMethods(bundle: Bundle, clock: Clock) {
  const { name, heads, ratePoints } = bundle.manifest;
  const tasks = TASKS.filter((task) => heads.some((head) => head.task === task));
  const lacking = TASKS.filter((task) => !tasks.includes(task));
  const encoder = await openEncoder(bundle, { threads: 1 });
  const { engine, close } = await openEngine(bundle, tasks, clock).catch(async (error) => {
    await encoder.close();
    throw error;
  });
  const detection = heads.find((head) => head.task === 'detection');
  const methods = ratePoints.map(
    (point): ClipMethod => ({
      name,
      setting: `rate point ${point.index}, ${point.name}`,
      run: (reader) => runClip(reader, point.index, { bundle, encoder, engine }),
      remark: lacking.map((task) => `the bundle has no ${task} head`).join('; '),
      scoreMin: detection?.scoreMin ?? 0,
    }),
  );
  return {
    methods,
    async close() {
      await close();
      await encoder.close();
    },
  };
}

async function runClip(
  reader: ClipReader,
  ratePoint: number,
  { bundle, encoder, engine }: BundleParts,
): Promise<ClipOutcome> {
  const { width, height, letterbox } = bundle.manifest.input;
  const frames = await reader.frames({ width, height, fill: letterbox.fill });
  const recordBytes: number[] = [];
  const codecBytes: number[] = [];
  const reports: FrameReport[] = [];
  for (const frame of frames) {
    const sent = await sendFrame(frame, ratePoint, { bundle, encoder });
    recordBytes.push(sent.record.length);
    codecBytes.push(sent.codecBytes);
    reports.push(reportOf(await findIn(receiveFrame(sent.record), engine)));
  }
  return { frames: frames.length, recordBytes, codecBytes, reports };
}

function reportOf(findings: readonly Finding[]): FrameReport {
  const detected = findingOf(findings, 'detection');
  const masks = findingOf(findings, 'segmentation')?.masks;
  return {
    found: detected && fractionBoxes(detected.detections),
    topLabel: findingOf(findings, 'classification')?.classifications[0]?.label,
    maskShares:
      masks &&
      Object.fromEntries(
        masks.map(({ label, areaFraction }) => [canonicalLabel(label), areaFraction]),
      ),
  };
}
