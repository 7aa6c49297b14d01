import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeBitstream } from '#codec/bitstream.ts';
import { loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import type { EncodeWorker } from '#producers/camera/encode.ts';
import { encodeThreads } from '#producers/camera/encode-thread.ts';
import { seededRandom } from '#runtime/random.ts';

const TINY = join(import.meta.dirname, '../../../golden/tiny-bundle');
const PIXEL_BYTES = 64 * 64 * 3;

const opened: EncodeWorker[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((worker) => worker.close()));
});

async function open(onDied: (error: Error) => void = () => undefined): Promise<EncodeWorker> {
  const worker = await encodeThreads({ bundleDirectory: TINY, threads: 1 })(onDied);
  opened.push(worker);
  return worker;
}

function picture(seed: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: PIXEL_BYTES }, () => random.integer(256));
}

describe('an encoder thread', () => {
  it('makes the bitstreams that the encoder and the codec make here', async () => {
    const bundle = await loadBundle(TINY);
    const encoder = await openEncoder(bundle, { threads: 1 });
    const worker = await open();
    for (const ratePoint of [0, 1]) {
      const latent = await encoder.encode(picture(ratePoint), ratePoint);
      const { bitstream } = await worker.encode({ pixels: picture(ratePoint), ratePoint });
      const tablesOf = (hash: string) => bundle.tablesByHash.get(hash);
      const decoded = decodeBitstream(bitstream, tablesOf, bundle.latentShape());
      expect(decoded.latent.symbols).toEqual(latent.symbols);
      expect(decoded.header.ratePoint).toBe(ratePoint);
    }
    await encoder.close();
  });

  it('encodes what is too large again, coarser, as far as it may', async () => {
    const worker = await open();
    const fine = await worker.encode({ pixels: picture(1), ratePoint: 0 });
    const coarse = await worker.encode({ pixels: picture(1), ratePoint: 1 });
    expect(coarse.bitstream.length).toBeLessThan(fine.bitstream.length);
    const encode = (bytesPerFrameMax: number, coarsest: number) => {
      const ceiling = { bytesPerFrameMax, coarsest };
      return worker.encode({ pixels: picture(1), ratePoint: 0, ceiling });
    };
    const bytes = fine.bitstream.length;
    expect(await encode(bytes, 1)).toMatchObject({ ratePoint: 0, bitstream: fine.bitstream });
    expect(await encode(bytes - 1, 1)).toMatchObject({ ratePoint: 1, bitstream: coarse.bitstream });
    expect(await encode(bytes - 1, 0)).toMatchObject({ ratePoint: 0, bitstream: fine.bitstream });
    expect(await encode(1, 1)).toMatchObject({ ratePoint: 1, bitstream: coarse.bitstream });
  });

  it('takes pixels over without copying, and copies a view into a larger buffer', async () => {
    const worker = await open();
    const whole = picture(1);
    const expected = await worker.encode({ pixels: whole, ratePoint: 0 });
    expect(whole.length, 'the buffer has moved to the thread').toBe(0);
    const larger = new Uint8Array(PIXEL_BYTES + 64);
    larger.set(picture(1), 64);
    const view = larger.subarray(64);
    const same = await worker.encode({ pixels: view, ratePoint: 0 });
    expect(same.bitstream).toEqual(expected.bitstream);
    expect(view.length).toBe(PIXEL_BYTES);
    expect(expected.encodeDurationUs).toBeGreaterThan(0);
  });

  it('fails on a bad frame only, and lives on', async () => {
    const deaths: Error[] = [];
    const worker = await open((error) => deaths.push(error));
    await expect(worker.encode({ pixels: new Uint8Array(5), ratePoint: 0 })).rejects.toThrow(
      /pixels/,
    );
    await expect(worker.encode({ pixels: picture(1), ratePoint: 9 })).rejects.toThrow(/rate point/);
    const { bitstream } = await worker.encode({ pixels: picture(1), ratePoint: 0 });
    expect(bitstream.length).toBeGreaterThan(0);
    expect(deaths).toEqual([]);
  });

  it('encodes what it has in turn, and is closed only after that', async () => {
    const worker = await open();
    const alone: Uint8Array[] = [];
    for (const seed of [1, 2]) {
      alone.push((await worker.encode({ pixels: picture(seed), ratePoint: 0 })).bitstream);
    }
    const encoding = [1, 2].map((seed) => worker.encode({ pixels: picture(seed), ratePoint: 0 }));
    await worker.close();
    opened.length = 0;
    const together = await Promise.all(encoding);
    expect(together.map(({ bitstream }) => bitstream)).toEqual(alone);
    const [first, second] = together.map(({ encodeTimeUs }) => encodeTimeUs);
    expect(first).toBeLessThan(second as number);
  });

  it('does not open without a bundle, and says why', async () => {
    const openWorker = encodeThreads({ bundleDirectory: '/nowhere', threads: 1 });
    await expect(openWorker(() => undefined)).rejects.toMatchObject({ code: 'bundle-missing' });
  });

  it('tells when it died, and rejects the frames that it had', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'halfsight-')), 'dying.mjs');
    writeFileSync(
      file,
      `import { parentPort } from 'node:worker_threads';
       parentPort.postMessage({ type: 'ready' });
       parentPort.on('message', () => { throw new Error('out of everything'); });`,
    );
    const deaths: string[] = [];
    const openWorker = encodeThreads({ bundleDirectory: '', threads: 1 }, pathToFileURL(file));
    const worker = await openWorker((error) => deaths.push(error.message));
    const encoding = [1, 2].map((seed) => worker.encode({ pixels: picture(seed), ratePoint: 0 }));
    const settled = await Promise.allSettled(encoding);
    const error = expect.objectContaining({ message: 'out of everything' });
    expect(settled).toEqual([1, 2].map(() => ({ status: 'rejected', reason: error })));
    expect(deaths).toEqual(['out of everything']);
  });
});
