import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { decodeBitstream, encodeBitstream } from '#codec/bitstream.ts';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import type { Bundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import { filesOf } from '#models/manifest.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { decodeFrame } from '#schemas/frame.ts';
import { foundBoxes, type Method, type Outcome, type Picture, SCORE_MIN } from './method.ts';
import { letterboxRaster } from './raster.ts';
import { frameRecord, framing } from './records.ts';

/** The product's own path, from pixels to detections, without Kafka in the middle. */
export interface Split {
  readonly methods: readonly Method[];
  close(): Promise<void>;
}

/** A bundle without a detection head is measured too: its bytes. */
export async function openSplit(bundle: Bundle, clock: Clock): Promise<Split> {
  const { manifest } = bundle;
  const detects = manifest.heads.some(({ task }) => task === 'detection');
  const encoder = await openEncoder(bundle, { threads: 1 });
  const engine = detects ? await openEngine(bundle, clock) : undefined;
  return {
    methods: manifest.ratePoints.map(({ index, name }) => ({
      name: manifest.name,
      setting: `rate point ${index}, ${name}`,
      run: (picture) => runSplit(picture, index, { bundle, encoder, engine: engine?.engine }),
      remark: detects ? '' : 'the bundle has no detection head',
    })),
    async close() {
      await engine?.close();
      await encoder.close();
    },
  };
}

interface SplitParts {
  readonly bundle: Bundle;
  readonly encoder: Encoder;
  readonly engine: Engine | undefined;
}

async function runSplit(
  { raster }: Picture,
  ratePoint: number,
  { bundle, encoder, engine }: SplitParts,
): Promise<Outcome> {
  const { width, height, letterbox } = bundle.manifest.input;
  const input = { width, height, fill: letterbox.fill };
  // The camera's side.
  const { pixels, content } = await letterboxRaster(raster, input);
  const tables = defined(bundle.tablesByRatePoint[ratePoint], `tables of rate point ${ratePoint}`);
  const latent = await encoder.encode(pixels, ratePoint);
  const bitstream = encodeBitstream(latent, tables, { ratePoint });
  const record = frameRecord({ bundle, ratePoint, source: raster, input, content, bitstream });
  const bytes = { recordBytes: record.length, codecBytes: bitstream.length };
  if (engine === undefined) return { ...bytes, found: undefined };
  // The consumer's side: it has the record, and nothing else.
  const frame = decodeFrame(record, framing);
  const lookup = (hash: string) => bundle.tablesByHash.get(hash);
  const decoded = decodeBitstream(frame.bitstream, lookup, bundle.latentShape());
  const { inputWidth, inputHeight } = frame;
  const output = await engine.run({
    ...decoded.latent,
    ratePoints: [frame.ratePoint],
    geometries: [{ inputWidth, inputHeight, content: frame.content }],
  });
  const finding = output.findings[0]?.[0];
  const detections = finding?.task === 'detection' ? finding.detections : [];
  return { ...bytes, found: foundBoxes(detections, raster) };
}

/**
 * The consumer's engine process. It reads the threshold for detections from bundle.json, and that
 * is one for users; see SCORE_MIN. So it is given the same bundle under another bundle.json.
 */
async function openEngine(bundle: Bundle, clock: Clock) {
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-evaluate-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const engine = new Engine({
    spawn: forkEngine,
    settings: {
      bundleDirectory: folder,
      heads: ['detection'],
      provider: 'cpu',
      threads: 1,
    },
    clock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    // Whatever is asked of it afterwards is rejected, and stands in the table.
    onFailed: () => undefined,
  });
  try {
    for (const file of new Set(filesOf(bundle.manifest))) {
      await symlink(resolve(bundle.path(file)), join(folder, file));
    }
    const json = JSON.parse(await readFile(join(bundle.directory, 'bundle.json'), 'utf8'));
    for (const head of json.heads) if (head.task === 'detection') head.scoreMin = SCORE_MIN;
    await writeFile(join(folder, 'bundle.json'), JSON.stringify(json));
    await engine.open();
  } catch (error) {
    await removeFolder();
    throw error;
  }
  return { engine, close: () => engine.close().then(removeFolder) };
}
