import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { loadAddedHead } from '#models/added-head.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import type { Head as HeadSpec } from '#models/manifest.ts';
import { type OnnxSession, openSession, type Tensor } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf, describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Task } from '#schemas/result.ts';
import type {
  AddedVersions,
  DecodedBatch,
  EngineSettings,
  FromEngineThread,
  Interval,
  ModelOutput,
  PlacedHead,
  RefusedShadow,
  ShadowOutput,
  ToEngineThread,
} from './engine-protocol.ts';
import { checkDims } from './heads/dims.ts';
import type { Finding, FrameGeometry, Head } from './heads/head.ts';
import { HEADS } from './heads/table.ts';

/**
 * The thread of the engine process that holds the ONNX sessions of the body and the active heads,
 * and runs one batch at a time. Output tensors are read here, where they are, so that only findings
 * leave it.
 */
const port = defined(parentPort, 'the port to the engine process');

interface OpenHead {
  readonly spec: HeadSpec;
  readonly labels: readonly string[];
  readonly session: OnnxSession;
}

interface Model {
  readonly bundle: Bundle;
  readonly body: OnnxSession;
  readonly heads: readonly OpenHead[];
  readonly shadows: OpenHead[];
  /** Of `heads`, those that are not the bundle's own. */
  readonly added: AddedVersions | undefined;
}

let model: Model | undefined;

type Feeds = Readonly<Record<string, Tensor>>;

async function openModel(settings: EngineSettings): Promise<Model> {
  const bundle = await loadBundle(settings.bundleDirectory);
  const body = await openSession(bundle.path(bundle.manifest.body.file), settings);
  const { replacements } = settings;
  const heads: OpenHead[] = [];
  for (const task of settings.heads) {
    const placed = replacements?.[task];
    const opening =
      placed === undefined ? openOwn(task, bundle, settings) : openPlaced(placed, bundle, settings);
    heads.push(await opening);
  }
  return { bundle, body, heads, shadows: [], added: replacements };
}

async function openOwn(task: Task, bundle: Bundle, settings: EngineSettings): Promise<OpenHead> {
  const own = bundle.manifest.heads.find((head) => head.task === task);
  const spec = defined(own, `head ${task}`);
  const session = await openSession(bundle.path(spec.file), settings);
  return { spec, labels: bundle.labels(spec), session };
}

async function openPlaced(
  { directory, version, digest }: PlacedHead,
  bundle: Bundle,
  settings: EngineSettings,
): Promise<OpenHead> {
  const head = await loadAddedHead(directory, bundle);
  if (head.digest !== digest || head.spec.version !== version) {
    const message = `${directory} is not head ${version} any more: head.json was changed.`;
    throw new HalfsightError('head-digest-mismatch', message, {
      advice: 'Add what was changed under a version of its own.',
    });
  }
  const { spec, labels } = head;
  return { spec, labels, session: await openSession(join(directory, spec.file), settings) };
}

/**
 * Latents of zeros, so that a model that does not fit its manifest is found at start and the first
 * frame does not pay for the first run. TensorRT builds an engine for each new shape: minutes.
 */
function blankBatches(bundle: Bundle, provider: EngineSettings['provider']): DecodedBatch[] {
  const { input } = bundle.manifest;
  const { channels, height, width } = bundle.latentShape();
  const content = { x: 0, y: 0, width: input.width, height: input.height };
  const geometry = { inputWidth: input.width, inputHeight: input.height, content };
  const counts = provider === 'cpu' ? [1] : [1, LIMITS.batchFramesMax];
  return counts.map((count) => ({
    symbols: new Int32Array(count * channels * height * width),
    ratePoints: new Array<number>(count).fill(0),
    geometries: new Array<FrameGeometry>(count).fill(geometry),
  }));
}

/** Opens and warms up; live heads must work, a shadow that does not is left out. */
async function open(settings: EngineSettings): Promise<readonly RefusedShadow[]> {
  const opened = await openModel(settings);
  const batches = blankBatches(opened.bundle, settings.provider);
  const warmed = [];
  for (const batch of batches) warmed.push((await runBatch(opened, batch)).feeds);
  const refused: RefusedShadow[] = [];
  for (const placed of Object.values(settings.shadows ?? {})) {
    try {
      const shadow = await openPlaced(placed, opened.bundle, settings);
      for (const [index, { geometries }] of batches.entries()) {
        await runHead(shadow, warmed[index] ?? {}, geometries);
      }
      opened.shadows.push(shadow);
    } catch (error) {
      refused.push({ directory: placed.directory, message: describeError(error) });
    }
  }
  model = opened;
  return refused;
}

interface Ran extends ModelOutput {
  /** What heads take. */
  readonly feeds: Feeds;
}

async function runBatch({ bundle, body, heads, added }: Model, batch: DecodedBatch): Promise<Ran> {
  const startUs = systemClock.nowUs();
  const features = await body.run(bodyFeeds(bundle, batch));
  const ofBody = { startUs, endUs: systemClock.nowUs() };
  const feeds = { ...features, content: contentTensor(batch.geometries) };
  const findings: Finding[][] = batch.geometries.map(() => []);
  const intervals: Interval[] = [];
  for (const head of heads) {
    if (batch.heads?.includes(head.spec.task) === false) continue;
    const ran = await runHead(head, feeds, batch.geometries);
    for (const [index, finding] of ran.findings.entries()) findings[index]?.push(finding);
    intervals.push(ran.interval);
  }
  const output = { findings, body: ofBody, heads: intervals, feeds };
  return added === undefined ? output : { ...output, added };
}

async function runHead(
  { spec, labels, session }: OpenHead,
  feeds: Feeds,
  geometries: readonly FrameGeometry[],
): Promise<{ readonly findings: readonly Finding[]; readonly interval: Interval }> {
  const startUs = systemClock.nowUs();
  const outputs = { spec, labels, tensors: await session.run(feeds) };
  checkDims(outputs, geometries.length);
  // The table's row for a task takes the specification of that task; TypeScript cannot see it.
  const head = HEADS[spec.task] as Head<HeadSpec>;
  const findings = geometries.map((geometry, index) => head.read(outputs, index, geometry));
  return { findings, interval: { startUs, endUs: systemClock.nowUs() } };
}

/** After the live heads have answered. What fails here is told, and costs nothing else. */
async function runShadows(
  { shadows }: Model,
  { heads, geometries }: DecodedBatch,
  feeds: Feeds,
): Promise<ShadowOutput[]> {
  const outputs: ShadowOutput[] = [];
  for (const shadow of shadows) {
    const { task } = shadow.spec;
    if (heads?.includes(task) === false) continue;
    try {
      outputs.push({ task, ...(await runHead(shadow, feeds, geometries)) });
    } catch (error) {
      outputs.push({ task, error: describeError(error) });
    }
  }
  return outputs;
}

function bodyFeeds(bundle: Bundle, { symbols, ratePoints }: DecodedBatch): Record<string, Tensor> {
  const { body } = bundle.manifest;
  const { channels, height, width } = bundle.latentShape();
  const count = ratePoints.length;
  return {
    [body.latent]: { data: symbols, dims: [count, channels, height, width] },
    [body.ratePoint]: { data: BigInt64Array.from(ratePoints, BigInt), dims: [count] },
  };
}

/** [N, 4]: x0, y0, x1, y1 of the picture inside the input, as fractions of the input. */
function contentTensor(geometries: readonly FrameGeometry[]): Tensor {
  const corners = geometries.flatMap(({ content, inputWidth, inputHeight }) => [
    content.x / inputWidth,
    content.y / inputHeight,
    (content.x + content.width) / inputWidth,
    (content.y + content.height) / inputHeight,
  ]);
  return { data: Float32Array.from(corners), dims: [geometries.length, 4] };
}

async function answer(message: ToEngineThread): Promise<void> {
  switch (message.kind) {
    case 'open': {
      const refusedShadows = await open(message.settings);
      return say({ kind: 'ready', refusedShadows });
    }
    case 'run':
      return run(message.id, message.batch);
    case 'close':
      // Ending a thread while a session runs aborts the process; here none does.
      await model?.body.close();
      for (const { session } of [...(model?.heads ?? []), ...(model?.shadows ?? [])]) {
        await session.close();
      }
      return say({ kind: 'closed' });
  }
}

async function run(id: number, batch: DecodedBatch): Promise<void> {
  const opened = defined(model, 'model');
  let ran: Ran;
  try {
    ran = await runBatch(opened, batch);
  } catch (error) {
    return say({ kind: 'failed', id, message: describeError(error) });
  }
  const { feeds, ...output } = ran;
  const symbols = batch.symbols.buffer;
  say({ kind: 'done', id, output, symbols }, [symbols]);
  if (!batch.shadows) return;
  say({ kind: 'shadowed', id, outputs: await runShadows(opened, batch, feeds) });
}

function say(message: FromEngineThread, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

function refuse(error: unknown): void {
  const { message, advice } =
    error instanceof HalfsightError ? error : { message: describeError(error), advice: undefined };
  say({ kind: 'refused', code: codeOf(error) ?? 'inference-failed', message, advice });
}

// Messages are answered one after another, in order: sessions are not for two batches at once.
let answered: Promise<void> = Promise.resolve();
port.on('message', (message: ToEngineThread) => {
  answered = answered.then(() => answer(message)).catch(refuse);
});
