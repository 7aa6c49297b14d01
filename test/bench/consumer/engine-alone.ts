import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { EngineBatch } from '#consumers/inference/engine-protocol.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import type { BareLoopFigures, BareLoopSettings } from './bare-loop-protocol.ts';
import { countBatchFindings } from './count-findings.ts';
import { cycle } from './cycle.ts';

/**
 * The engine process as the consumer has it, with as many batches on their way, fed from memory: no
 * Kafka, no parsing, no results. What is lost against the bare loop is the pipe's.
 */
export async function runEngineAlone(settings: BareLoopSettings): Promise<BareLoopFigures> {
  const { heads, frames, batchFrames, bundleDirectory, provider } = settings;
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  const engine = new Engine({
    spawn: forkEngine,
    settings: { bundleDirectory, heads, provider, threads: 1 },
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
      const output = await engine.run(batches[next++ % batches.length] as EngineBatch);
      findings += countBatchFindings(output);
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
  const geometry = { inputWidth, inputHeight, content };
  return cycle(bitstreams, batchFrames).map((members) => ({
    frames: members.map((bitstream) => ({ bitstream, geometry })),
  }));
}
