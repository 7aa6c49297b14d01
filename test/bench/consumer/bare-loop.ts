import { fileURLToPath } from 'node:url';
import { BenchChild } from '../instruments/child.ts';
import type { BareLoopFigures, BareLoopSettings } from './bare-loop-protocol.ts';

const PROGRAM = fileURLToPath(new URL('./bare-loop-main.ts', import.meta.url));

/** In a process of its own, which is gone afterwards. */
export async function runBareLoop(settings: BareLoopSettings): Promise<BareLoopFigures> {
  const child = new BenchChild(PROGRAM, settings);
  try {
    return await child.ask<BareLoopFigures>('run');
  } finally {
    await child.end();
  }
}
