import { parseArgs } from 'node:util';
import { loadBundle } from '#models/bundle.ts';
import { encodeThreads } from '#producers/camera/encode-thread.ts';
import { systemClock } from '#runtime/clock.ts';
import { streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { quantile, rounded } from './instruments/statistics.ts';

/**
 * One encoder thread of the camera agent on pictures of a synthetic street: milliseconds and bytes
 * a frame, for each rate point of the bundle:
 *   node test/bench/encode.ts [--bundle DIR] [--threads 1] [--frames 60]
 * `thread` is measured inside the encoder thread, `whole` from hand-over to bitstream in the main
 * thread; their difference is the price of the thread.
 */
const options = {
  bundle: {
    type: 'string',
    default: SHIPPED_BUNDLE,
  },
  threads: { type: 'string', default: '1' },
  frames: { type: 'string', default: '60' },
} as const;
const { values } = parseArgs({ options });
const threads = Number(values.threads);
const frameCount = Number(values.frames);

const bundle = await loadBundle(values.bundle);
const pictures = await streetPictures(bundle, frameCount);

const worker = await encodeThreads({ bundleDirectory: values.bundle, threads })(() => undefined);
for (const { index, name } of bundle.manifest.ratePoints) {
  const threadMs: number[] = [];
  const wholeMs: number[] = [];
  let bytes = 0;
  for (const picture of pictures) {
    const pixels = picture.slice();
    const startMs = systemClock.monotonicMs();
    const encoded = await worker.encode({ pixels, ratePoint: index });
    wholeMs.push(systemClock.monotonicMs() - startMs);
    threadMs.push(encoded.encodeDurationUs / 1000);
    bytes += encoded.bitstream.length;
  }
  const result = {
    bundle: bundle.manifest.name,
    ratePoint: name,
    threads,
    frames: frameCount,
    bytesMean: Math.round(bytes / frameCount),
    thread: quantiles(threadMs),
    whole: quantiles(wholeMs),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
await worker.close();

function quantiles(valuesMs: readonly number[]) {
  const at = (share: number) => rounded(quantile(valuesMs, share), 1);
  return { minMs: at(0), p50Ms: at(0.5), p95Ms: at(0.95) };
}
