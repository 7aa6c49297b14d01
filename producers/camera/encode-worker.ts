import { parentPort, workerData } from 'node:worker_threads';
import { encodeBitstream } from '#codec/bitstream.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import type { EncodeJob } from './encode.ts';
import type { ThreadAnswer, ThreadOptions, ThreadRequest } from './encode-protocol.ts';
import { toThreadError } from './thread-error.ts';

/**
 * The inside of one encoder thread: pixels in, bitstream out, one after another. It opens its model
 * once (a session that is opened again and again leaks) and ends only when it is told to.
 */
const port = defined(parentPort, 'the port to the main thread');
const options = workerData as ThreadOptions;

function answer(message: ThreadAnswer, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

/** Half a megabyte a frame would wait for the collector, and make it come often. */
function release(pixels: Uint8Array): void {
  if (pixels.buffer instanceof ArrayBuffer) pixels.buffer.transfer(0);
}

function answerFailed(error: unknown): void {
  answer({ type: 'failed', error: toThreadError(error) });
}

async function serve(bundle: Bundle): Promise<void> {
  const encoder = await openEncoder(bundle, { threads: options.threads });

  const encodeAt = async (pixels: Uint8Array, ratePoint: number) => {
    const tables = defined(
      bundle.tablesByRatePoint[ratePoint],
      `tables of rate point ${ratePoint}`,
    );
    const latent = await encoder.encode(pixels, ratePoint);
    return encodeBitstream(latent, tables, { ratePoint });
  };

  const encode = async ({ pixels, ratePoint: wanted, ceiling }: EncodeJob) => {
    const startMs = systemClock.monotonicMs();
    const { bytesPerFrameMax = Infinity, coarsest = wanted } = ceiling ?? {};
    let ratePoint = wanted;
    let bitstream = await encodeAt(pixels, ratePoint);
    while (bitstream.length > bytesPerFrameMax && ratePoint < coarsest) {
      bitstream = await encodeAt(pixels, ++ratePoint);
    }
    release(pixels);
    const encodeDurationUs = Math.round((systemClock.monotonicMs() - startMs) * 1000);
    const encodeTimeUs = systemClock.nowUs();
    // The coder may have cut the bitstream out of a larger buffer, which would be moved as a whole.
    const isWhole = bitstream.byteLength === bitstream.buffer.byteLength;
    const whole = isWhole ? bitstream : bitstream.slice();
    const moved = whole.buffer as ArrayBuffer;
    const encoded = { bitstream: whole, ratePoint, encodeTimeUs, encodeDurationUs };
    answer({ type: 'encoded', ...encoded }, [moved]);
  };

  let last = Promise.resolve();
  port.on('message', (request: ThreadRequest) => {
    if (request.type === 'encode') {
      last = last.then(() => encode(request)).catch(answerFailed);
    } else {
      void last.then(() => encoder.close()).finally(() => port.close());
    }
  });
  answer({ type: 'ready' });
}

loadBundle(options.bundleDirectory).then(serve).catch(answerFailed);
