import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeBitstream, encodeBitstream } from '#codec/bitstream.ts';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import { iou } from '#consumers/inference/heads/detection.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { findIn } from '#infra/evaluate/sequence/sent-frame.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import { filledPixels, letterbox } from '#producers/camera/letterbox.ts';
import { createSceneRenderer, type SceneObject } from '#producers/camera/scenes/render.ts';
import { createScene, type SceneKind } from '#producers/camera/scenes/scene.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { decodeRle } from '#schemas/rle.ts';

/**
 * The shipped bundle against the truth of scenes it was not trained on: pixels to bitstream as in
 * the camera agent, bitstream to findings as in the consumer. The bars are well below what
 * models/training/results says, and far above what chance or a mixed-up tensor would give.
 */
const SCENES: readonly (readonly [SceneKind, number])[] = [
  ['street', 9001],
  ['street', 9002],
  ['avenue', 9003],
  ['avenue', 9004],
  ['car-park', 9005],
  ['car-park', 9006],
  ['yard', 9007],
  ['plaza', 9008],
  ['room', 9009],
  ['room', 9010],
];
const VEHICLES = ['car', 'truck', 'bus'];
const SOURCE = { width: 1280, height: 720 };
const AREA_FRACTION_MIN = 0.003;

let bundle: Bundle;
let encoder: Encoder;
let engine: Engine;

beforeAll(async () => {
  bundle = await loadBundle(readEnvironment({}).bundleDirectory);
  encoder = await openEncoder(bundle, { threads: 2 });
  engine = new Engine({
    spawn: forkEngine,
    settings: {
      bundleDirectory: bundle.directory,
      heads: ['classification', 'detection', 'segmentation'],
      provider: 'cpu',
      threads: 2,
    },
    clock: systemClock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    onFailed: (error) => {
      throw error;
    },
  });
  await engine.open();
});

afterAll(async () => {
  await engine.close();
  await encoder.close();
});

/** One picture of a scene through encoder, codec, body and heads. */
async function look(kind: SceneKind, seed: number) {
  const { width, height, letterbox: box } = bundle.manifest.input;
  const input = { width, height, fill: box.fill };
  const content = letterbox(SOURCE, input);
  const scene = createScene({ kind, seed, aspect: SOURCE.width / SOURCE.height });
  const renderer = await createSceneRenderer(scene, content);
  const picture = await renderer.render(12_000_000, { truth: true });
  const pixels = filledPixels(input);
  for (let row = 0; row < content.height; row++) {
    const line = picture.pixels.subarray(row * content.width * 3, (row + 1) * content.width * 3);
    pixels.set(line, ((content.y + row) * width + content.x) * 3);
  }
  const ratePoint = bundle.manifest.defaultRatePoint;
  const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
  const latent = await encoder.encode(pixels, ratePoint);
  const bitstream = encodeBitstream(latent, tables, { ratePoint });
  const decoded = decodeBitstream(
    bitstream,
    (hash) => bundle.tablesByHash.get(hash),
    bundle.latentShape(),
  );
  expect(decoded.latent).toEqual(latent);
  const geometry = { inputWidth: width, inputHeight: height, content };
  const findings = await findIn({ bitstream, geometry }, engine);
  const truth = defined(picture.truth, 'truth');
  return { bytes: bitstream.length, truth, findings };
}

function of<T extends Finding['task']>(findings: readonly Finding[], task: T) {
  const found = findings.find((finding) => finding.task === task);
  return defined(found, task) as Extract<Finding, { task: T }>;
}

it('finds people and vehicles where the scenes have them, in a few kilobytes', async () => {
  const counts = { person: { there: 0, found: 0 }, vehicle: { there: 0, found: 0 } };
  const cover = { person: 0, found: 0 };
  for (const [kind, seed] of SCENES) {
    const { bytes, truth, findings } = await look(kind, seed);
    expect(bytes).toBeLessThan(12_000);
    const { detections } = of(findings, 'detection');
    const isSeen = (object: SceneObject, labels: readonly string[]) =>
      detections.some(({ label, box }) => labels.includes(label) && iou(box, object.box) >= 0.4);
    for (const object of truth.objects) {
      const [xMin, yMin, xMax, yMax] = object.box;
      const isSmall = (xMax - xMin) * (yMax - yMin) < AREA_FRACTION_MIN;
      if (isSmall || object.visibleFraction < 0.6) continue;
      const isVehicle = VEHICLES.includes(object.category);
      if (!isVehicle && object.category !== 'person') continue;
      const count = isVehicle ? counts.vehicle : counts.person;
      count.there++;
      if (isSeen(object, isVehicle ? VEHICLES : ['person'])) count.found++;
    }
    for (const { label, mask } of of(findings, 'segmentation').masks) {
      if (label !== 'person') continue;
      const cells = decodeRle(mask.counts, mask.height, mask.width);
      cover.found += cells.reduce((sum, cell) => sum + cell, 0) / cells.length;
    }
    cover.person += truth.semantic.filter((id) => id === 15).length / truth.semantic.length;
    expect(of(findings, 'classification').classifications).toHaveLength(5);
  }
  const figures = JSON.stringify({ counts, cover });
  expect(counts.person.there).toBeGreaterThan(5);
  expect(counts.vehicle.there).toBeGreaterThan(10);
  expect(counts.person.found / counts.person.there, figures).toBeGreaterThan(0.5);
  expect(counts.vehicle.found / counts.vehicle.there, figures).toBeGreaterThan(0.7);
  expect(cover.found, figures).toBeGreaterThan(cover.person / 3);
  expect(cover.found, figures).toBeLessThan(cover.person * 3);
});
