import { Engine } from '#consumers/inference/engine.ts';
import { forkEngine } from '#consumers/inference/engine-channel.ts';
import type { EngineFrame } from '#consumers/inference/engine-protocol.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import type { Bundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import type { Task } from '#schemas/result.ts';
import { receiveFrame } from '../sequence/sent-frame.ts';
import { HEAD_SETS, type Padding, type Run } from './variants.ts';
import { wholeOf } from './views.ts';

export interface OpenedEngine {
  readonly engine: Engine;
  close(): Promise<void>;
}

/** An engine process for each set of heads, as one deployment for each task would have it. */
export interface Engines {
  of(run: Run): Engine;
  close(): Promise<void>;
}

export async function openEngines(
  open: (tasks: readonly Task[]) => Promise<OpenedEngine>,
): Promise<Engines> {
  const opened = new Map<string, OpenedEngine>();
  const close = async () => {
    for (const each of opened.values()) await each.close();
  };
  try {
    for (const tasks of HEAD_SETS) opened.set(tasks.join(), await open(tasks));
  } catch (error) {
    await close();
    throw error;
  }
  const of = ({ tasks }: Run) => defined(opened.get(tasks.join()), `engine of ${tasks}`).engine;
  return { of, close };
}

/** The bundle as it is, its thresholds included, on one thread of the CPU. */
export async function openProductEngine(
  bundle: Bundle,
  heads: readonly Task[],
  clock: Clock,
): Promise<OpenedEngine> {
  const engine = new Engine({
    spawn: forkEngine,
    settings: { bundleDirectory: bundle.directory, heads, provider: 'cpu', threads: 1 },
    clock,
    logger: silentLogger,
    telemetry: new Telemetry(),
    // Whatever is asked of it afterwards is rejected, and that ends the command.
    onFailed: () => undefined,
  });
  await engine.open();
  return { engine, close: () => engine.close() };
}

/** A record as the engine takes it; unmasked, the whole input counts as picture. */
export function receive(record: Uint8Array, padding: Padding, bundle: Bundle): EngineFrame {
  const frame = receiveFrame(record);
  if (padding === 'masked') return frame;
  return { ...frame, geometry: { ...frame.geometry, content: wholeOf(bundle.manifest.input) } };
}
