import { type TinyFrames, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import type { Changes } from './fleet.ts';
import { Bitstreams } from './pictures.ts';
import { type Outcome, World } from './world.ts';

export interface SimulateOptions {
  readonly changes?: Changes;
  readonly tell?: (line: string) => void;
}

export type Simulate = (seed: number, options?: SimulateOptions) => Promise<Outcome>;

/** What all runs share is made once: the bundle, its schemas and the bitstreams. */
export async function openSimulation(): Promise<Simulate> {
  const tiny: TinyFrames = await tinyFrames();
  const bitstreams = new Bitstreams(tiny);
  // A process of the product would die of them; whose they are, nobody can say here.
  const rejections: unknown[] = [];
  process.on('unhandledRejection', (error) => void rejections.push(error));
  return async (seed, options = {}) => {
    const outcome = await new World({ seed, tiny, bitstreams, ...options }).run();
    // Node reports them when it has nothing else to do.
    await new Promise((resolve) => setImmediate(resolve));
    const mistakes = rejections.splice(0).map((error) => {
      return { law: 'mistake' as const, what: `nobody handles ${(error as Error).stack}` };
    });
    return { ...outcome, violations: [...outcome.violations, ...mistakes] };
  };
}

/** All that somebody needs who has to explain a failing seed. */
export function describeFailure(seed: number, { violations, lastEvents }: Outcome): string {
  return [
    ...lastEvents,
    ...violations.slice(0, 10).map(({ law, what }) => `FAILED: seed ${seed}: ${law}: ${what}`),
    ...(violations.length > 10 ? [`... and ${violations.length - 10} more`] : []),
    `replay: npm run simulate -- --seed ${seed} --verbose`,
  ].join('\n');
}
