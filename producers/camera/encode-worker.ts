import { parentPort, workerData } from 'node:worker_threads';
import { encodeBitstream } from '#codec/bitstream.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { ThreadAnswer, ThreadOptions, ThreadRequest } from './encode-protocol.ts';

/**
 * The inside of one encoder thread: pixels in, bitstream out, one at a time. It opens its model
 * once (a session that is opened again and again leaks) and ends only when it is told to.
 */
const port = defined(parentPort, 'the port to the main thread');
const options = workerData as ThreadOptions;

function answer(message: ThreadAnswer, moved: ArrayBuffer[] = []): void {
  port.postMessage(message, moved);
}

function answerFailed(error: unknown): void {
  const isOurs = error instanceof HalfsightError;
  const message = error instanceof Error ? error.message : String(error);
  answer({
    type: 'failed',
    error: {
      code: isOurs ? error.code : undefined,
      message,
      advice: isOurs ? error.advice : undefined,
    },
  });
}

async function serve(bundle: Bundle): Promise<void> {
  const encoder = await openEncoder(bundle, { threads: options.threads });

  const encode = async (pixels: Uint8Array, ratePoint: number) => {
    const startMs = systemClock.monotonicMs();
    const tables = defined(
      bundle.tablesByRatePoint[ratePoint],
      `tables of rate point ${ratePoint}`,
    );
    const latent = await encoder.encode(pixels, ratePoint);
    const bitstream = encodeBitstream(latent, tables, { ratePoint });
    const encodeDurationUs = Math.round((systemClock.monotonicMs() - startMs) * 1000);
    const encodeTimeUs = systemClock.nowUs();
    // The coder may have cut the bitstream out of a larger buffer, which would be moved as a whole.
    const isWhole = bitstream.byteLength === bitstream.buffer.byteLength;
    const whole = isWhole ? bitstream : bitstream.slice();
    const moved = whole.buffer as ArrayBuffer;
    answer({ type: 'encoded', bitstream: whole, encodeTimeUs, encodeDurationUs }, [moved]);
  };

  port.on('message', (request: ThreadRequest) => {
    if (request.type === 'encode') {
      encode(request.pixels, request.ratePoint).catch(answerFailed);
    } else {
      void encoder.close().finally(() => port.close());
    }
  });
  answer({ type: 'ready' });
}

loadBundle(options.bundleDirectory).then(serve).catch(answerFailed);
