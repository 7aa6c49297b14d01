import { parentPort, workerData } from 'node:worker_threads';
import { encodeBitstream } from '#codec/bitstream.ts';
import { loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import type {
  ThreadAnswer,
  ThreadOptions,
  ThreadRequest,
} from '#producers/camera/encode-protocol.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';

/**
 * Stands for an encoder thread that is infinitely fast: it encodes its first picture as the real
 * one does and answers everything with that bitstream. What is left of a frame's cost is the
 * agent's.
 */
const port = defined(parentPort, 'the port to the main thread');
const { bundleDirectory } = workerData as ThreadOptions;
let bitstream: Promise<Uint8Array> | undefined;

function answer(message: ThreadAnswer, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

async function encode(pixels: Uint8Array, ratePoint: number): Promise<Uint8Array> {
  const bundle = await loadBundle(bundleDirectory);
  const encoder = await openEncoder(bundle, { threads: 1 });
  const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
  const encoded = encodeBitstream(await encoder.encode(pixels, ratePoint), tables, { ratePoint });
  await encoder.close();
  return encoded;
}

port.on('message', (request: ThreadRequest) => {
  if (request.type === 'close') {
    port.close();
    return;
  }
  bitstream ??= encode(request.pixels, request.ratePoint);
  void bitstream.then((encoded) => {
    // As the real one does.
    (request.pixels.buffer as ArrayBuffer).transfer(0);
    const copy = encoded.slice();
    const encodeTimeUs = systemClock.nowUs();
    answer({ type: 'encoded', bitstream: copy, encodeTimeUs, encodeDurationUs: 0 }, [
      copy.buffer as ArrayBuffer,
    ]);
  });
});
answer({ type: 'ready' });
