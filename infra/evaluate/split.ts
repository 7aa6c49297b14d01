import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { encodeBitstream } from '#codec/bitstream.ts';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { Finding } from '#consumers/inference/heads/head.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import type { Bundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import { filesOf } from '#models/manifest.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import type { Task } from '#schemas/result.ts';
import { COCO_CLASSES, canonicalLabel } from './coco-classes.ts';
import { classMapOfMasks } from './confusion.ts';
import { foundBoxes, type Method, type Outcome, type Picture, SCORE_MIN } from './method.ts';
import { letterboxRaster } from './raster.ts';
import { frameRecord } from './records.ts';
import { findIn, receiveFrame } from './sequence/sent-frame.ts';
import { NO_VIEW, type Teachers, type View } from './teachers.ts';

/** The product's own path, from pixels to detections, without Kafka in the middle. */
export interface Split {
  readonly methods: readonly Method[];
  close(): Promise<void>;
}

/** A bundle without heads is measured too: its bytes. Heads without a teacher are left out. */
export async function openSplit(bundle: Bundle, teachers: Teachers, clock: Clock): Promise<Split> {
  const { manifest } = bundle;
  const wanted: Task[] = ['detection'];
  if (teachers.classifier !== undefined) wanted.push('classification');
  if (teachers.segmenter !== undefined) wanted.push('segmentation');
  const heads: Task[] = [];
  const remarks: string[] = [];
  for (const task of wanted) {
    const head = manifest.heads.find((each) => each.task === task);
    if (head === undefined) remarks.push(`the bundle has no ${task} head`);
    else if (!isComparable(task, bundle.labels(head), teachers)) {
      remarks.push(`the bundle's ${task} head tells other classes`);
    } else heads.push(task);
  }
  const encoder = await openEncoder(bundle, { threads: 1 });
  const engine = heads.length > 0 ? await openEngine(bundle, heads, clock) : undefined;
  return {
    methods: manifest.ratePoints.map(({ index, name }) => ({
      name: manifest.name,
      setting: `rate point ${index}, ${name}`,
      run: (picture) =>
        runSplit(picture, index, { bundle, encoder, engine: engine?.engine, clock }),
      ...(manifest.encoder.cost && { encoder: manifest.encoder.cost }),
      remark: [...remarks, teachers.remark].filter((text) => text !== '').join('; '),
    })),
    async close() {
      await engine?.close();
      await encoder.close();
    },
  };
}

/** Boxes and masks are compared by the names of their classes, top classes by their ids. */
function isComparable(task: Task, labels: readonly string[], { classifier }: Teachers): boolean {
  if (task === 'classification') return labels.length === classifier?.classes;
  if (task === 'segmentation') return true;
  return labels.some((label) => COCO_CLASSES.includes(canonicalLabel(label)));
}

interface SplitParts {
  readonly bundle: Bundle;
  readonly encoder: Encoder;
  readonly engine: Engine | undefined;
  readonly clock: Clock;
}

async function runSplit(
  { raster }: Picture,
  ratePoint: number,
  { bundle, encoder, engine, clock }: SplitParts,
): Promise<Outcome> {
  const { width, height, letterbox } = bundle.manifest.input;
  const input = { width, height, fill: letterbox.fill };
  // The camera's side.
  const { pixels, content } = await letterboxRaster(raster, input);
  const tables = defined(bundle.tablesByRatePoint[ratePoint], `tables of rate point ${ratePoint}`);
  const startMs = clock.monotonicMs();
  const latent = await encoder.encode(pixels, ratePoint);
  const bitstream = encodeBitstream(latent, tables, { ratePoint });
  const encodeMs = clock.monotonicMs() - startMs;
  const record = frameRecord({ bundle, ratePoint, source: raster, input, content, bitstream });
  const bytes = { recordBytes: record.length, codecBytes: bitstream.length };
  if (engine === undefined) return { ...bytes, ...NO_VIEW, found: undefined };
  // The consumer's side: it has the record, and nothing else.
  const receivedMs = clock.monotonicMs();
  const findings = await findIn(receiveFrame(record), engine);
  const times = { encodeMs, decodeMs: clock.monotonicMs() - receivedMs };
  const detected = ofTask(findings, 'detection');
  const found = detected && foundBoxes(detected.detections, raster);
  return { ...bytes, ...viewOf(findings, bundle), found, times };
}

/** As the results would tell it, to whoever subscribes to them. */
function viewOf(findings: readonly Finding[], { manifest, labels }: Bundle): View {
  const classified = ofTask(findings, 'classification');
  const segmented = ofTask(findings, 'segmentation');
  const head = ofTask(manifest.heads, 'segmentation');
  const background = head && labels(head)[head.background];
  return {
    topClass: classified?.classifications[0]?.classId,
    classMap: segmented && classMapOfMasks(segmented.masks, background ?? 'background'),
  };
}

function ofTask<Item extends { readonly task: Task }, Wanted extends Task>(
  items: readonly Item[],
  wanted: Wanted,
) {
  return items.find((item): item is Extract<Item, { task: Wanted }> => item.task === wanted);
}

/**
 * The consumer's engine process. It reads the threshold for detections from bundle.json, and that
 * is one for users; see SCORE_MIN. So it is given the same bundle under another bundle.json.
 */
export async function openEngine(bundle: Bundle, heads: readonly Task[], clock: Clock) {
  const folder = await mkdtemp(join(tmpdir(), 'halfsight-evaluate-'));
  const removeFolder = () => rm(folder, { recursive: true, force: true });
  const engine = new Engine({
    spawn: forkEngine,
    settings: {
      bundleDirectory: folder,
      heads,
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
