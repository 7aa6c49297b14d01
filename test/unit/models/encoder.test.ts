import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { coder, decodeBitstream, encodeBitstream } from '#codec/bitstream.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { type Encoder, openEncoder } from '#models/encoder.ts';
import { type OnnxSession, openSession, type Tensor } from '#models/session.ts';
import { defined } from '#runtime/assert.ts';
import { codeOf } from '#runtime/errors.ts';
import { TINY_BUNDLE, tinyCases, tinyImage } from './tiny.ts';

const CPU = { provider: 'cpu', threads: 1 } as const;

describe('the tiny bundle gives what Python and CompressAI gave', () => {
  let bundle: Bundle;
  let encoder: Encoder;
  const sessions = new Map<string, OnnxSession>();

  beforeAll(async () => {
    bundle = await loadBundle(TINY_BUNDLE);
    encoder = await openEncoder(bundle, { threads: 1 });
    const { body, heads } = bundle.manifest;
    for (const { file } of [body, ...heads]) {
      sessions.set(file, await openSession(bundle.path(file), CPU));
    }
  });

  afterAll(async () => {
    await encoder.close();
    for (const session of sessions.values()) await session.close();
  });

  const run = (file: string, feeds: Record<string, Tensor>) =>
    defined(sessions.get(file), file).run(feeds);

  for (const expected of tinyCases()) {
    it(`seed ${expected.seed} at rate point ${expected.ratePoint}`, async () => {
      const { seed, ratePoint } = expected;
      const latent = await encoder.encode(tinyImage(seed), ratePoint);
      expect([...latent.symbols]).toEqual(expected.symbols);

      const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
      const choice = { kind: 'planes', first: 0, planeSize: 64 } as const;
      const rans = coder.encode({ symbols: latent.symbols, tables, choice });
      expect(Buffer.from(rans).toString('hex')).toBe(expected.rans);

      const bitstream = encodeBitstream(latent, tables, { ratePoint });
      const lookup = (hash: string) => bundle.tablesByHash.get(hash);
      const decoded = decodeBitstream(bitstream, lookup, bundle.latentShape());
      expect(decoded.header.ratePoint).toBe(ratePoint);

      const features = await run('body.onnx', {
        latent: { data: decoded.latent.symbols, dims: [1, 4, 8, 8] },
        rate_point: { data: BigInt64Array.of(BigInt(ratePoint)), dims: [1] },
      });
      const content = { data: Float32Array.from(expected.content), dims: [1, 4] };
      const feeds = { ...features, content };
      const { probabilities } = await run('head-classification.onnx', feeds);
      expect([...(probabilities?.data ?? [])]).toEqual(expected.probabilities);
      const { scores, classes } = await run('head-detection.onnx', feeds);
      expect([...(scores?.data ?? [])]).toEqual(expected.scores);
      expect(classes).toEqual({ data: Int32Array.of(0, 1, 2, 0), dims: [1, 4] });
      const { class_map: map } = await run('head-segmentation.onnx', feeds);
      expect(map?.dims).toEqual([1, 32, 32]);
      const cell = (row: number, column: number) => map?.data[row * 4 * 32 + column * 4];
      const coarse = expected.classMap.map((row, y) => row.map((_, x) => cell(y, x)));
      expect(coarse).toEqual(expected.classMap);
    });
  }

  it('takes pixels that are a view into a larger buffer', async () => {
    const [first] = tinyCases();
    const larger = new Uint8Array(5 + 64 * 64 * 3 + 9);
    larger.set(tinyImage(1), 5);
    const latent = await encoder.encode(larger.subarray(5, 5 + 64 * 64 * 3), 0);
    expect([...latent.symbols]).toEqual(first?.symbols);
  });

  it('runs a batch of several frames at their own rate points', async () => {
    const cases = tinyCases();
    const features = await run('body.onnx', {
      latent: {
        data: Int32Array.from(cases.flatMap(({ symbols }) => symbols)),
        dims: [2, 4, 8, 8],
      },
      rate_point: { data: BigInt64Array.of(0n, 1n), dims: [2] },
    });
    const { scores, boxes } = await run('head-detection.onnx', features);
    expect([...(scores?.data ?? [])]).toEqual(cases.flatMap((entry) => entry.scores));
    expect(boxes?.dims).toEqual([2, 4, 4]);
  });

  it('says which input is missing and what is wrong with one', async () => {
    await expect(run('body.onnx', {})).rejects.toThrow('input "latent" was not given');
    const wrong = { data: Int32Array.of(1), dims: [1] };
    const feeds = { latent: wrong, rate_point: { data: BigInt64Array.of(0n), dims: [1] } };
    await expect(run('body.onnx', feeds)).rejects.toSatisfy(
      (error) => codeOf(error) === 'inference-failed',
    );
  });
});

describe('openSession', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'halfsight-session-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it('does not fall back when a provider is missing', async (context) => {
    const open = openSession(join(TINY_BUNDLE, 'body.onnx'), { provider: 'tensorrt', threads: 1 });
    const outcome = await open.then(
      async (session) => {
        await session.close();
        return 'opened';
      },
      (error) => codeOf(error),
    );
    if (outcome === 'opened') context.skip('this machine has TensorRT, so nothing is missing');
    expect(outcome).toBe('execution-provider-missing');
  });

  it('refuses a file that is no model, whatever the provider', async () => {
    const path = join(directory, 'broken.onnx');
    writeFileSync(path, 'no model');
    for (const provider of ['cpu', 'cuda'] as const) {
      await expect(openSession(path, { provider, threads: 1 })).rejects.toSatisfy(
        (error) => codeOf(error) === 'bundle-invalid',
      );
    }
  });
});

describe('openEncoder', () => {
  it('refuses an encoder whose latent is not what the manifest says', async () => {
    const bundle = await loadBundle(TINY_BUNDLE);
    const shape = { channels: 4, height: 8, width: 9 };
    const lying = { ...bundle, latentShape: () => shape };
    await expect(openEncoder(lying, { threads: 1 })).rejects.toThrow(
      'output "latent" should be int32 1x4x8x9, is 1x4x8x8',
    );
  });
});
