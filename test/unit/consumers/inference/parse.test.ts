import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeBitstream } from '#codec/bitstream.ts';
import type { Delivery } from '#consumers/inference/delivery.ts';
import { parseDelivery, type Select } from '#consumers/inference/parse.ts';
import { wantedHeads } from '#consumers/inference/parsed-frame.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { defined } from '#runtime/assert.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { plain } from '#test/unit/schemas/samples.ts';
import { newLane, outcome, record, settled } from './fakes.ts';
import { EPOCH, type TinyFrames, tinyFrames } from './tiny-frames.ts';

const FRAMES_V1 = JSON.parse(
  readFileSync(new URL('../../../golden/frames-v1.json', import.meta.url), 'utf8'),
) as { records: { sequence: number; brightness: number; hex: string }[] };

let tiny: TinyFrames;
beforeAll(async () => {
  tiny = await tinyFrames();
});

function setUp(framing: Framing = tiny.framing) {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const lane = newLane({ telemetry, nowUs: () => clock.nowUs() });
  lane.open(undefined, undefined);
  const buried: string[] = [];
  const skipped: number[] = [];
  /** Records older than this are skipped. */
  const freshFromMs = { value: 0 };
  const select: { by: Select | undefined } = { by: undefined };
  let offset = 0;
  const parse = (value: Uint8Array | null, key: string | null = 'cam-1') => {
    lane.push([record(offset++, { value, key })]);
    return parseDelivery(
      { lane, delivery: defined(lane.next(), 'a delivery') },
      {
        bundle: tiny.bundle,
        framing,
        select: select.by,
        headsOf: wantedHeads(['detection', 'segmentation']),
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
      },
    );
  };
  return { clock, lane, buried, skipped, freshFromMs, select, telemetry, parse };
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

describe('parse', () => {
  it('gives the frame, and who it is; its bitstream is as it was', async () => {
    const { parse, lane } = setUp();
    const parsed = await parse(tiny.record(7, {}, 64));
    expect(parsed?.frame).toMatchObject({ cameraId: 'cam-1', epoch: EPOCH, sequence: 7 });
    const { bitstream } = tiny.frame(7, {}, 64);
    expect([...(parsed?.frame.bitstream ?? [])]).toEqual([...bitstream]);
    expect(parsed?.tableHash).toHaveLength(16);
    expect(lane.deliveries[0]?.identity).toMatchObject({ sequence: 7 });
  });

  it('lets a frame through once', async () => {
    const { parse, lane, buried } = setUp();
    expect(await parse(tiny.record(1))).toBeDefined();
    expect(await parse(tiny.record(1))).toBeUndefined();
    expect(await parse(tiny.record(0))).toBeUndefined();
    expect(await parse(tiny.record(2))).toBeDefined();
    expect(await parse(tiny.record(0, { epoch: EPOCH + 1 }))).toBeDefined();
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

it('takes what the first version of the camera wrote, down to the latent', async () => {
  const { parse, buried } = setUp();
  const { bundle } = tiny;
  for (const { sequence, brightness, hex } of FRAMES_V1.records) {
    const parsed = defined(await parse(Buffer.from(hex, 'hex')), 'a frame');
    const { bitstream, ...said } = parsed.frame;
    const { bitstream: _, ...expected } = tiny.frame(sequence, {}, brightness);
    expect(plain(said)).toEqual(plain(expected));
    expect(parsed.heads).toEqual(['detection', 'segmentation']);
    const tablesOf = (hash: string) => bundle.tablesByHash.get(hash);
    const { symbols } = decodeBitstream(bitstream, tablesOf, bundle.latentShape()).latent;
    expect(new Set(symbols)).toEqual(new Set([Math.round((brightness - 128) / 8)]));
  }
  expect(buried).toEqual([]);
});

it('says which of the active heads a frame wants', async () => {
  const { parse } = setUp();
  const wishes = [
    null,
    ['segmentation'],
    ['segmentation', 'classification', 'detection'],
    ['pose'],
  ];
  const heads = [];
  for (const [sequence, wish] of wishes.entries()) {
    heads.push((await parse(tiny.record(sequence, { heads: wish })))?.heads);
  }
  const active = ['detection', 'segmentation'];
  expect(heads).toEqual([active, ['segmentation'], active, []]);
});

it('skips what is too old, but not poison, and repeats only once', async () => {
  const { parse, lane, skipped, buried, freshFromMs } = setUp();
  freshFromMs.value = Number.POSITIVE_INFINITY;
  for (const value of [tiny.record(0), new Uint8Array(3), tiny.record(1), tiny.record(1)]) {
    expect(await parse(value)).toBeUndefined();
  }
  expect(skipped).toEqual([0, 1]);
  expect(buried).toHaveLength(1);
  const kinds = lane.deliveries.map(({ outcome: settledAs }) => settledAs?.kind);
  expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(1);
  expect(kinds).toHaveLength(4);
  freshFromMs.value = 0;
  expect(await parse(tiny.record(2))).toBeDefined();
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
    const { parse, buried, lane } = setUp();
    const [value, key = 'cam-1'] = make();
    expect(await parse(value, key)).toBeUndefined();
    expect(buried).toEqual([reason]);
    expect(lane.deliveries[0]?.outcome).toBeDefined();
  });

  it('and the next record is parsed', async () => {
    const { parse } = setUp();
    await parse(new Uint8Array(3));
    expect(await parse(tiny.record(0))).toBeDefined();
  });
});

describe('a job that is about some frames', () => {
  it('settles the others as nothing, unread', async () => {
    const { parse, lane, buried, select, telemetry } = setUp();
    select.by = ({ key }) => key === 'cam-1';
    expect(await parse(new Uint8Array(3), 'cam-2')).toBeUndefined();
    expect(buried).toEqual([]);
    expect(lane.deliveries[0]?.outcome).toMatchObject({ kind: 'not-selected', records: [] });
    lane.commit(1);
    expect(telemetry.snapshot()['frames-not-selected']).toBe(1);
    expect(await parse(tiny.record(0))).toBeDefined();
  });

  it('may make the pipeline wait; what was dropped meanwhile is not parsed', async () => {
    const { parse, lane, select } = setUp();
    const gate = Promise.withResolvers<boolean>();
    select.by = () => gate.promise;
    const parsing = parse(tiny.record(0));
    lane.drop();
    gate.resolve(true);
    expect(await parsing).toBeUndefined();
  });

  it('ends the pipeline, and buries nothing, where it cannot tell', async () => {
    const { parse, buried, select } = setUp();
    select.by = () => Promise.reject(new Error('cannot tell'));
    await expect(parse(tiny.record(0))).rejects.toThrow('cannot tell');
    expect(buried).toEqual([]);
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
  const { parse, clock, buried } = setUp(framing);
  let isParsed = false;
  void parse(tiny.record(0)).then((parsed) => {
    isParsed = parsed !== undefined;
  });
  await settled();
  expect(isParsed).toBe(false);
  await clock.advance(2 * LIMITS.acquireRetryDelayMsMax);
  await settled();
  expect(isParsed).toBe(true);
  expect(buried).toEqual([]);
});
