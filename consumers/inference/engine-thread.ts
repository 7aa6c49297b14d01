import { parentPort } from 'node:worker_threads';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import type { Head as HeadSpec } from '#models/manifest.ts';
import { type OnnxSession, openSession, type Tensor } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { codeOf, describeError, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type {
  DecodedBatch,
  EngineSettings,
  FromEngineThread,
  Interval,
  ModelOutput,
  ToEngineThread,
} from './engine-protocol.ts';
import type { Finding, FrameGeometry, Head } from './heads/head.ts';
import { HEADS } from './heads/table.ts';

/**
 * The thread of the engine process that holds the ONNX sessions of the body and the active heads,
 * and runs one batch at a time. Output tensors are read here, where they are, so that only findings
 * leave it.
 */
const port = defined(parentPort, 'the port to the engine process');

interface Model {
  readonly bundle: Bundle;
  readonly body: OnnxSession;
  readonly heads: readonly { readonly spec: HeadSpec; readonly session: OnnxSession }[];
}

async function openModel(settings: EngineSettings): Promise<Model> {
  const bundle = await loadBundle(settings.bundleDirectory);
  const open = (file: string) => openSession(bundle.path(file), settings);
  const body = await open(bundle.manifest.body.file);
  const heads = [];
  for (const task of settings.heads) {
    const spec = defined(
      bundle.manifest.heads.find((head) => head.task === task),
      `head ${task}`,
    );
    heads.push({ spec, session: await open(spec.file) });
  }
  return { bundle, body, heads };
}

/**
 * Runs latents of zeros, so that a model that does not fit its manifest is found at start and the
 * first frame does not pay for the first run. TensorRT builds an engine for each new shape:
 * minutes.
 */
async function warmUp(model: Model, { provider }: EngineSettings): Promise<void> {
  const { input } = model.bundle.manifest;
  const { channels, height, width } = model.bundle.latentShape();
  const content = { x: 0, y: 0, width: input.width, height: input.height };
  const geometry = { inputWidth: input.width, inputHeight: input.height, content };
  const counts = provider === 'cpu' ? [1] : [1, LIMITS.batchFramesMax];
  for (const count of counts) {
    const symbols = new Int32Array(count * channels * height * width);
    const ratePoints = new Array<number>(count).fill(0);
    const geometries = new Array<FrameGeometry>(count).fill(geometry);
    await runBatch(model, { symbols, ratePoints, geometries });
  }
}

async function runBatch(model: Model, batch: DecodedBatch): Promise<ModelOutput> {
  const startUs = systemClock.nowUs();
  const features = await model.body.run(bodyFeeds(model.bundle, batch));
  const body = { startUs, endUs: systemClock.nowUs() };
  const feeds = { ...features, content: contentTensor(batch.geometries) };
  const findings: Finding[][] = batch.geometries.map(() => []);
  const heads: Interval[] = [];
  for (const { spec, session } of model.heads) {
    if (batch.heads?.includes(spec.task) === false) continue;
    const headStartUs = systemClock.nowUs();
    const tensors = await session.run(feeds);
    const outputs = { spec, labels: model.bundle.labels(spec), tensors };
    // The table's row for a task takes the specification of that task; TypeScript cannot see it.
    const head = HEADS[spec.task] as Head<HeadSpec>;
    for (const [index, geometry] of batch.geometries.entries()) {
      findings[index]?.push(head.read(outputs, index, geometry));
    }
    heads.push({ startUs: headStartUs, endUs: systemClock.nowUs() });
  }
  return { findings, body, heads };
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

let model: Model | undefined;

async function answer(message: ToEngineThread): Promise<void> {
  switch (message.kind) {
    case 'open':
      model = await openModel(message.settings);
      await warmUp(model, message.settings);
      return say({ kind: 'ready' });
    case 'run': {
      const { id, batch } = message;
      try {
        const output = await runBatch(defined(model, 'model'), batch);
        const symbols = batch.symbols.buffer;
        say({ kind: 'done', id, output, symbols }, [symbols]);
      } catch (error) {
        say({ kind: 'failed', id, message: describeError(error) });
      }
      return;
    }
    case 'close':
      // Ending a thread while a session runs aborts the process; here none does.
      await model?.body.close();
      for (const { session } of model?.heads ?? []) await session.close();
      return say({ kind: 'closed' });
  }
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
