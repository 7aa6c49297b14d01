import { decodeBitstream } from '#codec/bitstream.ts';
import type { Finding, Head } from '#consumers/inference/heads/head.ts';
import { HEADS } from '#consumers/inference/heads/table.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import type { Head as HeadSpec } from '#models/manifest.ts';
import { type OnnxSession, openSession, type Tensor } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { serveParent } from '../instruments/child.ts';
import type { BareLoopFigures, BareLoopSettings } from './bare-loop-protocol.ts';
import { countFindings } from './count-findings.ts';
import { cycle } from './cycle.ts';

/**
 * The least that any consumer of the same latents must do: nothing but ONNX Runtime and the reading
 * of its output, in one loop of one process. Latents are decoded and packed into tensors before the
 * clock starts; there is no queue, no pipe, no message. It has the sessions, their options, the
 * heads, the batch size and the reading of the engine process.
 */
serveParent(async (settings: BareLoopSettings) => {
  const model = await openModel(settings);
  const batches = packed(model.bundle, settings);
  for (const batch of batches) await runBatch(model, batch, settings.batchFrames);
  return { run: () => run(model, batches, settings) };
});

interface Network {
  readonly session: OnnxSession;
  readonly spec: HeadSpec;
  readonly labels: readonly string[];
}

interface Model {
  readonly bundle: Bundle;
  readonly body: OnnxSession;
  readonly networks: readonly Network[];
}

type Feeds = Readonly<Record<string, Tensor>>;

async function openModel({ bundleDirectory, heads, provider }: BareLoopSettings): Promise<Model> {
  const bundle = await loadBundle(bundleDirectory);
  const open = (file: string) => openSession(bundle.path(file), { provider, threads: 1 });
  const body = await open(bundle.manifest.body.file);
  const networks: Network[] = [];
  for (const task of heads) {
    const spec = defined(
      bundle.manifest.heads.find((head) => head.task === task),
      `head ${task}`,
    );
    networks.push({ spec, session: await open(spec.file), labels: bundle.labels(spec) });
  }
  return { bundle, body, networks };
}

async function run(
  model: Model,
  batches: readonly Feeds[],
  { frames, batchFrames }: BareLoopSettings,
): Promise<BareLoopFigures> {
  let findings = 0;
  const startMs = systemClock.monotonicMs();
  for (let done = 0; done < frames; done += batchFrames) {
    const batch = batches[(done / batchFrames) % batches.length] as Feeds;
    for (const found of await runBatch(model, batch, batchFrames)) findings += countFindings(found);
  }
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  return { framesPerSecond: frames / seconds, findings };
}

async function runBatch(model: Model, feeds: Feeds, count: number): Promise<Finding[]> {
  const { width, height } = model.bundle.manifest.input;
  const content = { x: 0, y: 0, width, height };
  const geometry = { inputWidth: width, inputHeight: height, content };
  const features = await model.body.run(feeds);
  const found: Finding[] = [];
  for (const { session, spec, labels } of model.networks) {
    const tensors = await session.run({ ...features, ...feeds });
    const head = HEADS[spec.task] as Head<HeadSpec>;
    for (let index = 0; index < count; index++) {
      found.push(head.read({ spec, labels, tensors }, index, geometry));
    }
  }
  return found;
}

/** As many batches as it takes for the first picture to come first again. */
function packed(bundle: Bundle, { bitstreams, batchFrames }: BareLoopSettings): Feeds[] {
  const shape = bundle.latentShape();
  const { channels, height, width } = shape;
  const size = channels * height * width;
  const names = bundle.manifest.body;
  const decoded = bitstreams.map((bitstream) =>
    decodeBitstream(bitstream, (hash) => bundle.tablesByHash.get(hash), shape),
  );
  return cycle(decoded, batchFrames).map((members) => {
    const data = new Int32Array(batchFrames * size);
    for (const [index, { latent }] of members.entries()) data.set(latent.symbols, index * size);
    const ratePoints = members.map(({ header }) => BigInt(header.ratePoint));
    const corners = members.flatMap(() => [0, 0, 1, 1]);
    return {
      [names.latent]: { data, dims: [batchFrames, channels, height, width] },
      [names.ratePoint]: { data: BigInt64Array.from(ratePoints), dims: [batchFrames] },
      content: { data: Float32Array.from(corners), dims: [batchFrames, 4] },
    };
  });
}
