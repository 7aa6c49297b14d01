import { beforeAll, describe, expect, it } from 'vitest';
import { decodeDeliveries } from '#consumers/inference/decode.ts';
import { FrameMemory } from '#consumers/inference/dedupe.ts';
import type { Delivery } from '#consumers/inference/delivery.ts';
import { Lane } from '#consumers/inference/lane.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { defined } from '#runtime/assert.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { outcome, record, settled } from './fakes.ts';
import { EPOCH, type TinyFrames, tinyFrames } from './tiny-frames.ts';

let tiny: TinyFrames;
beforeAll(async () => {
  tiny = await tinyFrames();
});

function setUp(framing: Framing = tiny.framing) {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const lane = new Lane({
    partition: 0,
    generation: 1,
    memory: new FrameMemory(),
    telemetry,
    nowUs: () => clock.nowUs(),
    onChange: () => undefined,
  });
  lane.open(undefined, undefined);
  const buried: string[] = [];
  const skipped: number[] = [];
  /** Records older than this are skipped. */
  const freshFromMs = { value: 0 };
  let offset = 0;
  const decodeAll = (values: readonly (Uint8Array | null)[], key: string | null = 'cam-1') => {
    lane.push(values.map((value) => record(offset++, { value, key })));
    const fetched = values.map(() => ({ lane, delivery: defined(lane.next(), 'a delivery') }));
    return decodeDeliveries(fetched, {
      bundle: tiny.bundle,
      framing,
      deadLetter: (_: Delivery, error: unknown) => {
        buried.push(codeOf(error) ?? (error as Error).name);
        return outcome('dead');
      },
      overload: { skips: (timestampMs) => timestampMs < freshFromMs.value },
      skip: ({ frame }) => {
        skipped.push(frame.sequence);
        return outcome('skipped');
      },
      clock,
      logger: silentLogger,
      tracer: noTracer,
      telemetry,
    });
  };
  const decode = async (value: Uint8Array | null, key: string | null = 'cam-1') => {
    const [decoded] = await decodeAll([value], key);
    return decoded;
  };
  return { clock, lane, buried, skipped, freshFromMs, decode, decodeAll };
}

/** The record with `changes` made to its bytes. */
function changed(bytes: Uint8Array, change: (copy: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(copy);
  return copy;
}

function flip(bytes: Uint8Array, index: number): Uint8Array {
  return changed(bytes, (copy) => {
    copy[index] = (copy[index] ?? 0) ^ 0x40;
  });
}

describe('decode', () => {
  it('takes frames side by side; a bad one does not touch the other', async () => {
    const { decodeAll, buried } = setUp();
    const good = await decodeAll([tiny.record(1, {}, 64), tiny.record(2, {}, 128)]);
    expect(good.map(({ frame }) => frame.sequence)).toEqual([1, 2]);
    const alone = setUp();
    const expected = [await alone.decode(tiny.record(1, {}, 64))];
    expected.push(await alone.decode(tiny.record(2, {}, 128)));
    expect(good.map(({ latent }) => latent)).toEqual(expected.map((one) => one?.latent));

    const damaged = flip(tiny.record(3), tiny.record(3).length - 6);
    const rest = await decodeAll([damaged, tiny.record(4, {}, 64)]);
    expect(rest.map(({ frame }) => frame.sequence)).toEqual([4]);
    expect(rest[0]?.latent).toEqual(good[0]?.latent);
    expect(buried).toEqual(['bitstream-checksum-mismatch']);
  });

  it('gives the latent, and who it is', async () => {
    const { decode, lane } = setUp();
    const decoded = await decode(tiny.record(7, {}, 64));
    expect(decoded?.latent.symbols).toEqual(new Int32Array(4 * 8 * 8).fill(-8));
    expect(decoded?.frame).toMatchObject({ cameraId: 'cam-1', epoch: EPOCH, sequence: 7 });
    expect(decoded?.tableHash).toHaveLength(16);
    expect(decoded?.bitstreamBytes).toBe(tiny.frame(7, {}, 64).bitstream.length);
    expect(lane.deliveries[0]?.identity).toMatchObject({ sequence: 7 });
  });

  it('lets a frame through once', async () => {
    const { decode, lane, buried } = setUp();
    expect(await decode(tiny.record(1))).toBeDefined();
    expect(await decode(tiny.record(1))).toBeUndefined();
    expect(await decode(tiny.record(0))).toBeUndefined();
    expect(await decode(tiny.record(2))).toBeDefined();
    expect(await decode(tiny.record(0, { epoch: EPOCH + 1 }))).toBeDefined();
    expect(lane.deliveries.map(({ outcome: end }) => end?.kind)).toEqual([
      undefined,
      'duplicate',
      'duplicate',
      undefined,
      undefined,
    ]);
    expect(buried).toEqual([]);
  });
});

it('skips what is too old, but not poison, and repeats only once', async () => {
  const { decodeAll, lane, skipped, buried, freshFromMs } = setUp();
  freshFromMs.value = Number.POSITIVE_INFINITY;
  const old = [tiny.record(0), new Uint8Array(3), tiny.record(1), tiny.record(1)];
  expect(await decodeAll(old)).toEqual([]);
  expect(skipped).toEqual([0, 1]);
  expect(buried).toHaveLength(1);
  const kinds = lane.deliveries.map(({ outcome: settledAs }) => settledAs?.kind);
  expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(1);
  expect(kinds).toHaveLength(4);
  freshFromMs.value = 0;
  expect(await decodeAll([tiny.record(2)])).toHaveLength(1);
});

describe('poison gets its own reason', () => {
  const reasons: [string, () => [Uint8Array | null, (string | null)?]][] = [
    ['record-empty', () => [null]],
    ['record-empty', () => [new Uint8Array(0)]],
    ['record-truncated', () => [tiny.record(0).subarray(0, 100)]],
    ['schema-unknown', () => [flip(tiny.record(0), 5)]],
    ['schema-unknown', () => [Buffer.from('not avro at all')]],
    ['bitstream-checksum-mismatch', () => [flip(tiny.record(0), tiny.record(0).length - 6)]],
    ['record-too-large', () => [new Uint8Array(LIMITS.frameRecordBytesMax + 1)]],
    ['record-malformed', () => [tiny.record(0), 'another-camera']],
    ['record-malformed', () => [tiny.record(0), null]],
    ['record-malformed', () => [tiny.record(0, { ratePoint: 1 })]],
    ['bitstream-shape-mismatch', () => [tiny.record(0, { inputWidth: 128, inputHeight: 128 })]],
    ['bitstream-tables-unknown', () => [tiny.record(0, { bitstream: tiny.foreignBitstream() })]],
  ];

  it.each(reasons)('%s', async (reason, make) => {
    const { decode, buried, lane } = setUp();
    const [value, key = 'cam-1'] = make();
    expect(await decode(value, key)).toBeUndefined();
    expect(buried).toEqual([reason]);
    expect(lane.deliveries[0]?.outcome).toBeDefined();
  });

  it('and the next record is decoded', async () => {
    const { decode } = setUp();
    await decode(new Uint8Array(3));
    expect(await decode(tiny.record(0))).toBeDefined();
  });
});

it('waits for a schema registry that is away; that is not the record’s fault', async () => {
  let tries = 0;
  const framing: Framing = {
    header: (type) => tiny.framing.header(type),
    open: (type, bytes) => tiny.framing.open(type, bytes),
    learn: async () => {
      if (++tries < 3) throw new HalfsightError('schema-registry-unavailable', 'away');
    },
  };
  const { decode, clock, buried } = setUp(framing);
  let isDecoded = false;
  void decode(tiny.record(0)).then((decoded) => {
    isDecoded = decoded !== undefined;
  });
  await settled();
  expect(isDecoded).toBe(false);
  await clock.advance(2 * LIMITS.acquireRetryDelayMsMax);
  await settled();
  expect(isDecoded).toBe(true);
  expect(buried).toEqual([]);
});
