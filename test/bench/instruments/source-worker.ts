import { parentPort, workerData } from 'node:worker_threads';
import { createSource } from '#producers/camera/sources/create.ts';
import { SourceHost } from '#producers/camera/sources/source-host.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { pictureSource } from './picture-source.ts';

/**
 * The thread of an agent's sources, which tells what it costs. Given pictures, its cameras show
 * those instead of what they are asked for; each begins later than the one before it.
 */
export interface SourceThreadOptions {
  readonly pictures: readonly Uint8Array[] | undefined;
  readonly cameraCount: number;
  readonly figures: SourceFigures;
}

/** Shared with the main thread: processor time of this one, us, and ms late at worst. */
export type SourceFigures = Float64Array<SharedArrayBuffer>;

const { pictures, cameraCount, figures } = workerData as SourceThreadOptions;

new SourceHost(defined(parentPort, 'the port to the main thread'), (spec, options) => {
  if (pictures === undefined || spec.kind !== 'synthetic') return createSource(spec, options);
  return pictureSource({
    ...options,
    pictures,
    phase: spec.seed / cameraCount,
    onTaken: (lateMs) => {
      figures[1] = Math.max(figures[1] ?? 0, lateMs);
    },
  });
});

systemClock.every(100, () => {
  const { user, system } = process.threadCpuUsage();
  figures[0] = user + system;
});
