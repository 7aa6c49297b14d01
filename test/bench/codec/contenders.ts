import { join } from 'node:path';
import type { CodedRun, EntropyCoder, Run } from '#codec/coder.ts';
import { referenceCoder } from '#codec/rans-reference.ts';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { assert } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { shapeOf } from '#test/compressai/differential.ts';
import {
  type PythonPackages,
  prepareNative,
  prepareOracle,
  type Unavailable,
} from '#test/compressai/prepare.ts';
import { PythonChild } from '#test/compressai/python-child.ts';
import type { BenchLatent } from './latents.ts';

export type Direction = 'encode' | 'decode' | 'decodePair';

/** One of the things compared: the same work as any other, on the latent that it was given last. */
export interface Contender {
  readonly name: string;
  readonly directions: readonly Direction[];
  /** Every so many rounds: a slow one would make the others wait for little. */
  readonly everyRounds: number;
  /** The stream of the latent's run. */
  load(latent: BenchLatent): Promise<Uint8Array>;
  /** Nanoseconds of each of `calls` calls, one after another. */
  time(direction: Direction, calls: number): Promise<number[]>;
  close(): Promise<void>;
}

export function openContenders(): { contenders: Contender[]; unavailable: string[] } {
  const contenders = [
    ownCoder('fast', createWasmCoder(), ['encode', 'decode', 'decodePair'], 1),
    ownCoder('reference', referenceCoder, ['encode', 'decode'], 10),
  ];
  const unavailable: string[] = [];
  const native = prepareNative();
  if ('reason' in native) {
    unavailable.push(why('native', native), why('pythonSameCode', native));
  } else {
    const child = openTiming(native);
    contenders.push(compressai('native', child, 'native'));
    contenders.push(compressai('pythonSameCode', child, 'python'));
  }
  const wheel = prepareOracle();
  if ('reason' in wheel) unavailable.push(why('python', wheel));
  else contenders.push(compressai('python', openTiming(wheel), 'python'));
  return { contenders, unavailable };
}

/**
 * glibc: freed memory stays with the process. CompressAI allocates its buffers anew in each call;
 * whether the system takes them back in between, and gives them out again page fault by page fault,
 * depends on what else the process did before, and costs up to 4 ns a symbol. Here it never does.
 */
const KEEP_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: String(32 * 1024 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(1024 * 1024 * 1024),
};

function openTiming(packages: PythonPackages): PythonChild {
  return new PythonChild(TIMING, packages, KEEP_MEMORY);
}

const TIMING = join(import.meta.dirname, '../../compressai/timing.py');

function why(name: string, { reason }: Unavailable): string {
  return `${name}: CompressAI cannot run here: ${reason}`;
}

/** Both ways are measured as the codec calls them: symbols in, bytes out, and back. */
function ownCoder(
  name: string,
  coder: EntropyCoder,
  directions: readonly Direction[],
  everyRounds: number,
): Contender {
  let run: Run;
  let pair: CodedRun[] = [];
  const actions: Record<Direction, () => void> = {
    encode: () => {
      coder.encode(run);
    },
    decode: () => decodeAll(coder, pair.slice(0, 1)),
    decodePair: () => decodeAll(coder, pair),
  };
  return {
    name,
    directions,
    everyRounds,
    async load(latent) {
      run = latent.run;
      const runs = latent.other === undefined ? [run] : [run, latent.other];
      pair = runs.map((one) => {
        const symbols = new Int32Array(one.symbols.length);
        return { ...one, symbols, payload: coder.encode(one) };
      });
      decodeAll(coder, pair);
      pair.forEach(({ symbols }, index) => {
        const isSame = symbols.every((symbol, at) => symbol === runs[index]?.symbols[at]);
        assert(isSame, `${name} gives back the symbols`);
      });
      return (pair[0] as CodedRun).payload;
    },
    async time(direction, calls) {
      return Array.from({ length: calls }, () => {
        const startMs = systemClock.monotonicMs();
        actions[direction]();
        return (systemClock.monotonicMs() - startMs) * 1e6;
      });
    },
    close: async () => undefined,
  };
}

function decodeAll(coder: EntropyCoder, runs: readonly CodedRun[]): void {
  for (const error of coder.decode(runs)) if (error !== undefined) throw error;
}

function compressai(name: string, child: PythonChild, what: 'native' | 'python'): Contender {
  return {
    name,
    directions: ['encode', 'decode'],
    everyRounds: 1,
    async load({ run }) {
      const request = { do: 'load', symbols: [...run.symbols], ...shapeOf(run) };
      return Buffer.from((await child.ask(request)) as string, 'hex');
    },
    async time(direction, calls) {
      return (await child.ask({ do: 'time', what, direction, calls })) as number[];
    },
    close: () => child.close(),
  };
}
