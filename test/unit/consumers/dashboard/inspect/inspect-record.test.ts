import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { encodeBitstream } from '#codec/bitstream.ts';
import { createTables, shortHash, type TablesJson } from '#codec/tables.ts';
import { inspectRecord } from '#consumers/dashboard/inspect/inspect-record.ts';
import type { FoundFrame } from '#consumers/dashboard/inspect/inspection.ts';
import { inspectionText } from '#consumers/dashboard/inspect/text.ts';
import { registerSchemas } from '#infra/topics/register.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { encodeFrame, type FrameRecord } from '#schemas/frame.ts';
import { openFraming } from '#schemas/open-framing.ts';
import { connectSchemaRegistry } from '#schemas/schema-registry.ts';
import { topicTable } from '#schemas/topics.ts';
import { SchemaRegistryFixture } from '#test/fixtures/schema-registry.ts';
import { EPOCH, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';

const SHIPPED = fileURLToPath(
  new URL('../../../../../models/bundles/halfsight-lite0', import.meta.url),
);
const tiny = await tinyFrames();
const { bundle, framing } = tiny;

function readGolden<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../../../golden/${file}`, import.meta.url), 'utf8'));
}

function inspect(value: Uint8Array | null, changes: Partial<{ bundle: Bundle }> = {}): FoundFrame {
  return inspectRecord({ value, headers: {} }, { framing, bundle, ...changes });
}

function inspectFrame(changes: Partial<FrameRecord>, by: Partial<{ bundle: Bundle }> = {}) {
  return inspect(tiny.record(7, changes), by);
}

/** The parts of a bitstream, in bits, against all of it. */
function expectToAddUp({ bitstream, latent }: FoundFrame): void {
  const { bytes, payloadBytes, containerBytes } = defined(bitstream ?? undefined, 'a bitstream');
  const { bits, stateBits, channels, energy } = defined(latent ?? undefined, 'a latent');
  expect(payloadBytes + containerBytes).toBe(bytes);
  expect(Math.abs((bits + stateBits) / 8 - payloadBytes)).toBeLessThan(0.001 * payloadBytes);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  const rounding = 0.005 * channels.length;
  expect(Math.abs(sum(channels.map((channel) => channel.bits)) - bits)).toBeLessThan(
    rounding + 0.1,
  );
  expect(sum(channels.map(({ share }) => share))).toBeCloseTo(1, 2);
  expect(energy.bits).toHaveLength(energy.width * energy.height);
}

describe('inspectRecord', () => {
  it('says everything of a frame, in plain JSON', () => {
    const headers = {
      'frame-id': Buffer.from(`gate-${EPOCH}-7`),
      traceparent: Buffer.from(`00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`),
      odd: Buffer.of(0xff, 0, 0x80),
    };
    const value = tiny.record(7, { cameraId: 'gate', dropped: { 'encoder-busy': 3 } });
    const place = { topic: 'frames', partition: 1, offset: 12, key: 'gate', timestampMs: 5 };
    const found = inspectRecord({ value, headers, ...place }, { framing, bundle });
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    expect(found).toMatchObject({
      ...{ found: true, frameId: `gate-${EPOCH}-7`, problem: null },
      record: { ...place, bytes: value.length, traceId: 'ab'.repeat(16) },
      frame: {
        ...{ cameraId: 'gate', sequence: 7, encodeDurationUs: 4_000, heads: null },
        source: { width: 640, height: 480 },
        content: { x: 0, y: 8, width: 64, height: 48 },
        schema: { name: expect.stringMatching(/^[0-9a-f]{16}$/), isCurrent: true },
        bundle: { name: bundle.manifest.name, digest: bundle.digest },
        ratePointName: bundle.manifest.ratePoints[0]?.name,
        dropped: { 'encoder-busy': 3 },
      },
      bitstream: { version: 2, frameType: 'intra', prior: 'factorised', side: null },
    });
    expect(found.record.headers.odd).toBe('0xff0080');
    // All symbols are 8 in every channel.
    const { channels, height, width } = bundle.latentShape();
    expect(found.latent).toMatchObject({
      symbols: channels * height * width,
      nonZero: channels * height * width,
    });
    expect(found.latent?.channels[0]).toMatchObject({ meanMagnitude: 8, peakMagnitude: 8 });
    expectToAddUp(found);
  });

  it.each(['bitstream-v1.json', 'bitstream-v2.json'])('reads golden bitstreams: %s', (file) => {
    interface Golden {
      readonly tables: TablesJson;
      readonly vectors: readonly { hex: string; shape: [number, number, number] }[];
    }
    const golden = readGolden<Golden>(file);
    const tables = createTables(golden.tables);
    for (const { hex, shape } of golden.vectors) {
      const [channels, height, width] = shape;
      const by = {
        ...bundle,
        tablesByHash: new Map([[shortHash(tables.hash), tables]]),
        latentShape: () => ({ channels, height, width }),
      };
      const found = inspectFrame({ bitstream: Buffer.from(hex, 'hex') }, { bundle: by });
      expect(found.problem).toBeNull();
      expect(found.bitstream?.version).toBe(file.includes('v1') ? 1 : 2);
      const { bits = 0, stateBits = 0 } = found.latent ?? {};
      const payloadBytes = found.bitstream?.payloadBytes ?? 0;
      expect(Math.abs(bits + stateBits - 8 * payloadBytes)).toBeLessThan(0.1);
    }
  });

  it('adds up within a percent on the shipped bundle, at each rate point', async () => {
    const shipped = await loadBundle(SHIPPED);
    const { width, height } = shipped.manifest.input;
    const random = seededRandom(5);
    const pixels = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
      const [x, y] = [Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
      const isInside = (x - 200) ** 2 + (y - 180) ** 2 < 90 ** 2;
      return (isInside ? 200 : 40 + (x >> 2)) + random.integer(16);
    });
    const encoder = await openEncoder(shipped, { threads: 1 });
    for (const { index, name } of shipped.manifest.ratePoints) {
      const latent = await encoder.encode(pixels, index);
      const tables = defined(shipped.tablesByRatePoint[index], name);
      const found = inspectFrame(
        {
          bitstream: encodeBitstream(latent, tables, { ratePoint: index }),
          ...{ ratePoint: index, bundleDigest: shipped.digestBytes },
        },
        { bundle: shipped },
      );
      expect(found.problem).toBeNull();
      expect(found.frame?.ratePointName).toBe(name);
      expectToAddUp(found);
      const { bits = 0 } = found.latent ?? {};
      const payloadBits = 8 * (found.bitstream?.payloadBytes ?? 0);
      expect(Math.abs(bits - payloadBits), 'the symbols alone').toBeLessThan(
        0.01 * payloadBits + 64,
      );
      // What is in the picture takes more than what is around it.
      const { energy } = defined(found.latent ?? undefined, 'a latent');
      const at = (x: number, y: number) => {
        const column = Math.floor((x / width) * energy.width);
        return energy.bits[Math.floor((y / height) * energy.height) * energy.width + column] ?? 0;
      };
      expect(at(111, 180)).toBeGreaterThan(at(20, 20));
    }
    await encoder.close();
  });

  it('says which bundle is needed', () => {
    const found = inspectFrame({
      bitstream: tiny.foreignBitstream(),
      ...{ bundleName: 'other', bundleVersion: '9', bundleDigest: new Uint8Array(32).fill(0xab) },
    });
    expect(found.bitstream).toMatchObject({ version: 2, channels: bundle.latentShape().channels });
    expect(found.frame?.ratePointName).toBeNull();
    expect(found.latent).toBeNull();
    expect(found.problem).toEqual({
      code: 'bitstream-tables-unknown',
      message: expect.stringContaining(`tables of bundle other 9 (SHA-256 ${'ab'.repeat(32)})`),
      advice: 'HALFSIGHT_BUNDLE names the folder of the bundle.',
    });
  });

  it('tells what a hyperprior has, and which bundle its symbols need', () => {
    const [vector] = readGolden<{ vectors: { hex: string }[] }>(
      'bitstream-v2-hyperprior.json',
    ).vectors;
    const found = inspectFrame({ bitstream: Buffer.from(vector?.hex ?? '', 'hex') });
    const { bytes, payloadBytes, containerBytes, side } = defined(
      found.bitstream ?? undefined,
      'a bitstream',
    );
    expect(found.bitstream).toMatchObject({ prior: 'hyperprior', channels: 6 });
    expect(side).toMatchObject({ channels: 4, height: 2, width: 2, corrections: 0 });
    expect(payloadBytes + containerBytes).toBe(bytes);
    expect(found.problem?.code).toBe('bitstream-tables-unknown');
  });

  it('goes as far as it can with what is damaged', () => {
    const { bitstream } = tiny.frame(7);
    const damaged = Uint8Array.from(bitstream);
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
    const broken = inspectFrame({ bitstream: damaged });
    expect(broken.frame?.sequence).toBe(7);
    expect(broken).toMatchObject({
      ...{ bitstream: null, latent: null, problem: { code: 'bitstream-checksum-mismatch' } },
    });
    const cut = inspect(tiny.record(7).subarray(0, 40));
    expect(cut).toMatchObject({ frameId: null, frame: null, record: { bytes: 40 } });
    expect(cut.problem?.code).toMatch(/^record-/);
    const headers = { 'frame-id': Buffer.from('gate-1-2') };
    const empty = inspectRecord({ value: null, headers }, { framing, bundle });
    expect(empty).toMatchObject({ frameId: 'gate-1-2', problem: { code: 'record-empty' } });
  });

  it('names the schema of a registry by its id', async () => {
    const registry = new SchemaRegistryFixture();
    try {
      const table = topicTable();
      const url = await registry.start();
      await registerSchemas(connectSchemaRegistry({ url }), table);
      const registered = await openFraming({ url }, table);
      const value = encodeFrame(tiny.frame(7), registered);
      const found = inspectRecord({ value, headers: {} }, { framing: registered, bundle });
      expect(found.frame?.schema).toMatchObject({
        name: expect.stringMatching(/^\d+$/),
        isCurrent: true,
      });
    } finally {
      await registry.stop();
    }
  });

  it('joins the cells of a large latent', () => {
    const [channels, height, width] = [bundle.latentShape().channels, 100, 130];
    const symbols = new Int32Array(channels * height * width);
    symbols[0] = 4;
    const tables = defined(bundle.tablesByRatePoint[0], 'tables');
    const bitstream = encodeBitstream({ channels, height, width, symbols }, tables, {
      ratePoint: 0,
    });
    const by = { ...bundle, latentShape: () => ({ channels, height, width }) };
    const { latent } = inspectFrame({ bitstream }, { bundle: by });
    expect(latent?.energy).toMatchObject({ width: 44, height: 34 });
    expect(latent?.energy.width).toBeLessThanOrEqual(LIMITS.energyMapSideMax);
    expect(latent?.energy.magnitude[0]).toBeCloseTo(4 / 9, 2);
    expect(latent?.energy.magnitude.slice(1).every((value) => value === 0)).toBe(true);
  });
});

describe('inspectionText', () => {
  it('is a page for a person', () => {
    const text = inspectionText(inspectFrame({ cameraId: 'gate', dropped: { 'encoder-busy': 3 } }));
    expect(text).toMatch(/^frame +gate-1700000000000-7$/m);
    expect(text).toMatch(/^picture +640x480, as 64x48\+0\+8 of an input of 64x64$/m);
    expect(text).toMatch(/^dropped before +encoder-busy 3$/m);
    expect(text).toMatch(/^bytes +\d+: symbols [\d.]+, coder's state [\d.]+, container \d+$/m);
    expect(text).toMatch(/^channel +bytes +share +not 0 +mean +peak$/m);
    expect(text).toMatch(/^@@@@/m);
  });

  it('says what is the matter, and what to do', () => {
    const foreign = inspectionText(inspectFrame({ bitstream: tiny.foreignBitstream() }));
    expect(foreign).toMatch(/^bitstream-tables-unknown: .* HALFSIGHT_BUNDLE names the folder/m);
    const missing = { found: false, frameId: 'gate-1-2', recordsRead: 1234, bytesRead: 5 } as const;
    const text = inspectionText({ ...missing, reason: 'gave-up', detail: 'there is more.' });
    expect(text).toBe(
      'gate-1-2: there is more. Say --at, when it was captured.\n1,234 records were looked at.\n',
    );
  });
});
