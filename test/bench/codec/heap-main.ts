import { PerformanceObserver } from 'node:perf_hooks';
import type { CodedRun } from '#codec/coder.ts';
import { createWasmCoder } from '#codec/rans-wasm.ts';
import { assert } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { laplaceLatent } from './latents.ts';

/**
 * What a call of the fast coder allocates in steady state, printed as JSON. codec.ts starts this
 * with `--expose-gc` and a young generation so large that no garbage is collected while it counts:
 * then `heapUsed` and `arrayBuffers` only grow, by what was allocated. That nothing was collected
 * is checked, and that allocations show up is checked with one of a known size. The coder's own
 * WebAssembly memory would grow by WebAssembly.Memory.grow; those calls are counted.
 */
const WARM_UP_CALLS = 1_000;
const CALLS = 200;
/** The median of so many: now and then the compiler puts code on the heap as well. */
const BATCHES = 15;
const REPORT_MS = 5;
const SIDES = [52, 104];

/** When each garbage collection began, in the clock of `performance.now`. */
const collectionsMs: number[] = [];
new PerformanceObserver((list) => {
  collectionsMs.push(...list.getEntries().map(({ startTime }) => startTime));
}).observe({ entryTypes: ['gc'] });

let growths = 0;
const { grow } = WebAssembly.Memory.prototype;
WebAssembly.Memory.prototype.grow = function (delta) {
  growths++;
  return grow.call(this, delta);
};

interface Allocation {
  readonly heapBytesPerCall: number;
  /** What `encode` returns is among it. */
  readonly arrayBufferBytesPerCall: number;
}

async function measure(action: () => unknown, warmUpCalls = WARM_UP_CALLS): Promise<Allocation> {
  for (let call = 0; call < warmUpCalls; call++) action();
  const heap: number[] = [];
  const buffers: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    // The buffers that the first finds dead are freed in the background; the second waits for that.
    globalThis.gc?.();
    globalThis.gc?.();
    await systemClock.sleep(REPORT_MS);
    const startMs = performance.now();
    const before = process.memoryUsage();
    for (let call = 0; call < CALLS; call++) action();
    const after = process.memoryUsage();
    // Collections are reported a little later than they happen.
    await systemClock.sleep(REPORT_MS);
    assert(
      !collectionsMs.some((ms) => ms > startMs),
      'no garbage is collected while allocations are counted',
    );
    heap.push((after.heapUsed - before.heapUsed) / CALLS);
    buffers.push((after.arrayBuffers - before.arrayBuffers) / CALLS);
  }
  return { heapBytesPerCall: median(heap), arrayBufferBytesPerCall: median(buffers) };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)] as number);
}

const coder = createWasmCoder();
let kept: unknown;
const rows = [];
for (const side of SIDES) {
  const { run, other } = laplaceLatent(0.9, side);
  const coded = [run, other ?? run].map((one): CodedRun => {
    return { ...one, payload: coder.encode(one), symbols: new Int32Array(one.symbols.length) };
  });
  const one = coded.slice(0, 1);
  const actions = {
    encode: () => coder.encode(run),
    decode: () => coder.decode(one),
    decodePair: () => coder.decode(coded),
  };
  coder.decode(coded);
  const growthsBefore = growths;
  assert(growthsBefore > 0, 'growths are counted: there was one for the tables and symbols');
  for (const [call, action] of Object.entries(actions)) {
    const allocation = await measure(() => {
      kept = action();
    });
    const outputBytes = kept instanceof Uint8Array ? kept.length : 0;
    const { heapBytesPerCall, arrayBufferBytesPerCall } = allocation;
    const beyondOutputBytes = heapBytesPerCall + arrayBufferBytesPerCall - outputBytes;
    const { length: symbols } = run.symbols;
    rows.push({ call, symbols, outputBytes, ...allocation, beyondOutputBytes });
  }
  assert(growths === growthsBefore, 'the memory of the WebAssembly coder does not grow');
}
const known = await measure(() => {
  kept = new Array(1000).fill(0.5);
}, 0);
process.stdout.write(
  `${JSON.stringify({ rows, knownArrayOf1000DoublesReads: known, callsPerBatch: CALLS })}\n`,
);
