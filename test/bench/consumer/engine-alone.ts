import { decodeBitstream } from '#codec/bitstream.ts';
import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { EngineBatch } from '#consumers/inference/engine-protocol.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import type { BareLoopFigures, BareLoopSettings } from './bare-loop-protocol.ts';
import { countFindings } from './count-findings.ts';
import { cycle } from './cycle.ts';

/**
 * The engine process as the consumer has it, with as many batches on their way, fed from memory: no
 * Kafka, no decoding, no packing, no results. What is lost against the bare loop is the pipe's.
 */
export async function runEngineAlone(settings: BareLoopSettings): Promise<BareLoopFigures> {
  const { heads, frames, batchFrames, bundleDirectory } = settings;
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const engine = new Engine({
    spawn: forkEngine,
    settings: { bundleDirectory, heads, provider: 'cpu', threads: 1 },
    clock: systemClock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    onFailed: failure.reject,
  });
  await engine.open();
  const batches = packed(await loadBundle(bundleDirectory), settings);
  for (const batch of batches) await engine.run(batch);
  let findings = 0;
  let next = 0;
  const feed = async () => {
    while (next < frames / batchFrames) {
      const { findings: found } = await engine.run(batches[next++ % batches.length] as EngineBatch);
      for (const finding of found.flat()) findings += countFindings(finding);
    }
  };
  const startMs = systemClock.monotonicMs();
  const feeding = Array.from({ length: LIMITS.batchesInEngineMax }, feed);
  await Promise.race([Promise.all(feeding), failure.promise]);
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  await engine.close();
  return { framesPerSecond: frames / seconds, findings };
}

function packed(bundle: Bundle, { bitstreams, batchFrames }: BareLoopSettings): EngineBatch[] {
  const { width: inputWidth, height: inputHeight } = bundle.manifest.input;
  const content = { x: 0, y: 0, width: inputWidth, height: inputHeight };
  const shape = bundle.latentShape();
  const size = shape.channels * shape.height * shape.width;
  const decoded = bitstreams.map((bitstream) =>
    decodeBitstream(bitstream, (hash) => bundle.tablesByHash.get(hash), shape),
  );
  return cycle(decoded, batchFrames).map((members) => {
    const symbols = new Int16Array(batchFrames * size);
    for (const [index, { latent }] of members.entries()) symbols.set(latent.symbols, index * size);
    const ratePoints = members.map(({ header }) => header.ratePoint);
    const geometries = members.map(() => ({ inputWidth, inputHeight, content }));
    return { symbols, ...shape, ratePoints, geometries };
  });
}
