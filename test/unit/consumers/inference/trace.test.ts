import { beforeAll, describe, expect, it } from 'vitest';
import { deadLetterOutcome } from '#consumers/inference/dead-letter.ts';
import { blankFrame } from '#consumers/inference/decode.ts';
import type { Delivery } from '#consumers/inference/delivery.ts';
import type { BatchOutput } from '#consumers/inference/engine-protocol.ts';
import type { OwnTraces } from '#consumers/inference/fetch-trace.ts';
import { inferBatch } from '#consumers/inference/infer.ts';
import { parseDelivery } from '#consumers/inference/parse.ts';
import type { ParsedFrame } from '#consumers/inference/parsed-frame.ts';
import { resultsOutcome } from '#consumers/inference/publish.ts';
import { SlowFrames } from '#consumers/inference/slow-frames.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer, type Tracer } from '#runtime/trace.ts';
import { REDRIVEN_FROM_HEADER } from '#schemas/redriven-from.ts';
import { SPOOLED_AT_HEADER } from '#schemas/spooled-at.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { recordingTracer } from '#test/fixtures/recording-tracer.ts';
import { newLane, record } from './fakes.ts';
import { EPOCH, type TinyFrames, tinyFrames } from './tiny-frames.ts';

let tiny: TinyFrames;
beforeAll(async () => {
  tiny = await tinyFrames();
});

const HEADS = ['classification', 'detection'] as const;
const TRANSACTION_US = 70;
const FRAME_0 = 'cam-1-1700000000000-0';

interface Given {
  readonly traceparent?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Undefined: the frame with the number of its record. */
  readonly value?: Uint8Array;
}

interface Circumstances {
  readonly tracer?: Tracer;
  readonly ownTraces?: OwnTraces;
  /** Of the first frame as it is fetched. */
  readonly ageMs?: number;
  /** The engine takes none. */
  readonly isRefused?: boolean;
}

/** What the engine says of a frame. */
const FOUND = {
  findings: [
    { task: 'classification', classifications: [] },
    { task: 'detection', detections: [] },
  ],
} as const;
const REFUSED = { refusal: { code: 'bitstream-malformed', message: 'it is none.' } } as const;

async function process(
  given: readonly Given[],
  { ownTraces, ageMs = 0, isRefused = false, ...more }: Circumstances = {},
) {
  const recording = recordingTracer();
  const tracer = more.tracer ?? recording.tracer;
  const clock = new ManualClock(EPOCH * 1000 + ageMs * 1000);
  const telemetry = new Telemetry();
  const topics = topicTable();
  const lane = newLane({ telemetry, nowUs: () => clock.nowUs() });
  lane.open(undefined, undefined);
  const { bundle, framing } = tiny;
  const letters = { topic: topics.deadLetters.name, framing, consumer: 'group', bundle };
  const burial = { ...letters, nowUs: () => clock.nowUs(), tracer };
  const common = {
    headsOf: () => HEADS,
    deadLetter: (...[delivery, error, traceparent]: DeadLetterArguments) =>
      deadLetterOutcome(delivery, error, burial, traceparent),
    ...{ clock, logger: silentLogger, tracer, telemetry, ownTraces },
  };
  const publish = (...[frame, found]: PublishArguments) =>
    resultsOutcome(frame, found, { ...tiny, heads: HEADS, topics, tracer });
  const slow = new SlowFrames(tracer, clock);
  const frames: ParsedFrame[] = [];
  for (const [offset, { traceparent, headers, value = tiny.record(offset) }] of given.entries()) {
    const texts = { ...headers, ...(traceparent === undefined ? {} : { traceparent }) };
    const bytes = Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)] as const);
    const timestampMs = EPOCH + 6;
    lane.push([record(offset, { value, headers: Object.fromEntries(bytes), timestampMs })]);
    const delivery = lane.next();
    if (delivery === undefined) throw new Error('nothing to parse');
    const frame = await parseDelivery(
      { lane, delivery },
      {
        ...{ ...common, bundle, framing, overload: { skips: () => false } },
        skip: (skipped) =>
          publish(skipped, { findings: [], intervals: [], traceparent: undefined }),
      },
    );
    if (frame !== undefined) frames.push(frame);
  }
  const output: Omit<BatchOutput, 'frames'> = {
    decode: { startUs: 5, endUs: 9 },
    body: { startUs: 10, endUs: 20 },
    heads: [
      { startUs: 20, endUs: 30 },
      { startUs: 30, endUs: 45 },
    ],
  };
  await inferBatch(
    { frames, reason: 'age' },
    {
      ...{ ...common, slow, publish },
      overload: { headsFor: () => HEADS },
      blank: () => blankFrame(tiny.bundle),
      engine: {
        restart: () => undefined,
        run: async (batch) => ({
          ...output,
          frames: batch.frames.map(() => (isRefused ? REFUSED : FOUND)),
        }),
      },
    },
  );
  const outcomes = lane.deliveries.map((delivery) => delivery.outcome);
  lane.commit(given.length, TRANSACTION_US);
  return { spans: recording.spans, outcomes };
}

type DeadLetterArguments = [delivery: Delivery, error: unknown, traceparent?: string];
type PublishArguments = [ParsedFrame, Parameters<typeof resultsOutcome>[1]];

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const OTHER = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;
const NOISE = Uint8Array.of(1, 2, 3);

type Spans = Awaited<ReturnType<typeof process>>['spans'];
const namesOf = (spans: Spans) => spans.map(({ name }) => name);
const traceIdsOf = (spans: Spans) => new Set(spans.map((span) => span.traceparent.slice(3, 35)));

describe('the trace of a sampled frame', () => {
  it('leads through every step', async () => {
    const { spans, outcomes } = await process([{ traceparent: TRACE }]);
    expect(namesOf(spans)).toEqual([
      ...['fetch', 'parse', 'batch', 'decode', 'body'],
      ...['head classification', 'head detection', 'publish', 'commit'],
    ]);
    const [fetch, parse, batch, decode, body, head1, head2, publish, commit] = spans;
    expect(fetch?.options.parent).toBe(TRACE);
    expect(parse?.options.parent).toBe(fetch?.traceparent);
    expect(batch?.options.parent).toBe(parse?.traceparent);
    for (const span of [decode, body, head1, head2, publish])
      expect(span?.options.parent).toBe(batch?.traceparent);
    expect([decode?.options.startTimeUs, decode?.endTimeUs]).toEqual([5, 9]);
    expect([head2?.options.startTimeUs, head2?.endTimeUs]).toEqual([30, 45]);
    expect(spans.every(({ isEnded }) => isEnded)).toBe(true);
    // The wait for the transaction, and the transaction.
    expect(publish).toMatchObject({
      endTimeUs: TRANSACTION_US,
      set: { 'halfsight.committed': true },
    });
    expect(commit?.options).toMatchObject({
      parent: publish?.traceparent,
      startTimeUs: TRANSACTION_US,
    });
    for (const { headers } of outcomes[0]?.records ?? []) {
      expect(headers.traceparent).toBe(publish?.traceparent);
      expect(headers['frame-id']).toBe(FRAME_0);
    }
  });

  it('is linked with those of its companions in a batch; others have no spans', async () => {
    const { spans, outcomes } = await process([
      ...[{ traceparent: TRACE }, {}, { traceparent: OTHER }],
    ]);
    const batches = spans.filter(({ name }) => name === 'batch');
    const parses = spans.filter(({ name }) => name === 'parse');
    expect(batches.map(({ options }) => options.links)).toEqual([
      [parses[1]?.traceparent],
      [parses[0]?.traceparent],
    ]);
    expect(batches[0]?.options.attributes).toMatchObject({ 'messaging.batch.message_count': 3 });
    expect(spans.filter(({ name }) => name === 'publish')).toHaveLength(2);
    const { headers } = outcomes[1]?.records[0] ?? {};
    expect(headers).toEqual({ 'frame-id': expect.any(String) });
  });

  it('is handed on by a consumer that makes no spans', async () => {
    const { outcomes } = await process([{ traceparent: TRACE }, {}], { tracer: noTracer });
    const [sampled, other] = outcomes.map((outcome) => outcome?.records[0]?.headers.traceparent);
    expect([sampled, other]).toEqual([TRACE, undefined]);
  });

  it('ends at a copy that was published twice', async () => {
    const value = tiny.record(0);
    const { spans } = await process([{ value }, { value, traceparent: TRACE }]);
    expect(namesOf(spans)).toEqual(['fetch', 'parse']);
    expect(spans[1]?.set).toEqual({ 'halfsight.duplicate': true });
  });

  it('is linked from a trace of its own where the frame is analysed again', async () => {
    const ownTraces = { attributes: { 'halfsight.backfill.id': 'night' } };
    const headers = { 'frame-id': FRAME_0 };
    const given = [{ traceparent: TRACE, headers }, {}];
    const { spans, outcomes } = await process(given, { ownTraces });
    expect(spans[0]).toMatchObject({
      name: 'fetch',
      options: {
        ...{ root: true, links: [TRACE] },
        attributes: { 'halfsight.backfill.id': 'night', 'halfsight.frame.id': FRAME_0 },
      },
    });
    expect(spans[0]?.options.parent).toBeUndefined();
    expect(traceIdsOf(spans)).toEqual(new Set(['1'.padStart(32, '0')]));
    const [again] = outcomes.map((outcome) => outcome?.records[0]?.headers.traceparent);
    expect(again).toBe(spans.find(({ name }) => name === 'publish')?.traceparent);
  });
});

describe('a dead letter', () => {
  it('is a step of the trace of a sampled frame', async () => {
    const { spans, outcomes } = await process([{ traceparent: TRACE, value: NOISE }]);
    expect(namesOf(spans)).toEqual(['fetch', 'parse', 'dead-letter', 'commit']);
    const [, parse, letter, commit] = spans;
    expect(letter).toMatchObject({ endTimeUs: TRANSACTION_US, failures: [expect.any(String)] });
    expect(letter?.options.parent).toBe(parse?.traceparent);
    expect(commit?.options.parent).toBe(letter?.traceparent);
    expect(outcomes[0]?.records[0]?.headers.traceparent).toBe(letter?.traceparent);
  });

  it('begins a trace where there is none, with the id of its frame', async () => {
    const headers = { 'frame-id': FRAME_0 };
    const { spans, outcomes } = await process([{ headers, value: NOISE }]);
    expect(namesOf(spans)).toEqual(['dead-letter', 'commit']);
    expect(spans[0]?.options).toMatchObject({
      root: true,
      attributes: {
        'halfsight.frame.id': FRAME_0,
        'error.type': expect.stringMatching(/^(record|schema)-/),
      },
    });
    expect(outcomes[0]?.records[0]?.headers.traceparent).toBe(spans[0]?.traceparent);
  });

  it('does not name a frame that cannot be one', async () => {
    const headers = { 'frame-id': 'x'.repeat(100_000) };
    const { spans } = await process([{ headers, value: NOISE }]);
    expect(spans[0]?.options.attributes).not.toHaveProperty(['halfsight.frame.id']);
  });

  it('of the engine is a step too', async () => {
    const { spans } = await process([{ traceparent: TRACE }], { isRefused: true });
    expect(namesOf(spans)).toEqual(['fetch', 'parse', 'batch', 'dead-letter', 'commit']);
    expect(spans[3]?.options.parent).toBe(spans[2]?.traceparent);
  });
});

describe('a slow frame that is not sampled', () => {
  const ageMs = LIMITS.slowFrameAgeMs;

  it('begins a trace that tells all of its way', async () => {
    const { spans, outcomes } = await process([{}], { ageMs });
    expect(namesOf(spans)).toEqual([
      ...['capture', 'encode', 'send test.camera.frame.v1', 'fetch', 'batch', 'decode', 'body'],
      ...['head classification', 'head detection', 'publish', 'commit'],
    ]);
    const beganUs = EPOCH * 1000;
    const times = spans.map(({ options, endTimeUs = 0 }) =>
      [options.startTimeUs ?? 0, endTimeUs].map((us) => us - beganUs),
    );
    expect(times.slice(0, 5)).toEqual([
      ...[
        [0, 1_000],
        [1_000, 5_000],
        [5_000, 6_000],
      ],
      ...[
        [ageMs * 1000, ageMs * 1000],
        [ageMs * 1000, ageMs * 1000],
      ],
    ]);
    expect(spans[0]?.options.attributes).toMatchObject({
      ...{ 'halfsight.frame.id': FRAME_0, 'halfsight.trace.begun_by': 'slow' },
    });
    expect(traceIdsOf(spans).size).toBe(1);
    const publish = spans.find(({ name }) => name === 'publish');
    expect(outcomes[0]?.records[0]?.headers.traceparent).toBe(publish?.traceparent);
  });

  it('shows how long it was on disk', async () => {
    const headers = { [SPOOLED_AT_HEADER]: String(EPOCH * 1000 + 5_500) };
    const { spans } = await process([{ headers }], { ageMs });
    const spool = spans.find(({ name }) => name === 'spool');
    const timesUs = [spool?.options.startTimeUs, spool?.endTimeUs];
    expect(timesUs).toEqual([EPOCH * 1000 + 5_500, EPOCH * 1000 + 6_000]);
  });

  it.each([
    ['before it was encoded', 1, 5_000],
    ['after it was sent', 60_000_000, 6_000],
  ])('has steps in their order where the disk is said to be %s', async (_, toldUs, shownUs) => {
    const headers = { [SPOOLED_AT_HEADER]: String(EPOCH * 1000 + toldUs) };
    const { spans } = await process([{ headers }], { ageMs });
    const spool = spans.find(({ name }) => name === 'spool');
    const timesUs = [spool?.options.startTimeUs, spool?.endTimeUs];
    expect(timesUs).toEqual([EPOCH * 1000 + shownUs, EPOCH * 1000 + 6_000]);
  });

  it('is none that was redriven', async () => {
    const headers = { [REDRIVEN_FROM_HEADER]: '0:7 1' };
    expect((await process([{ headers }], { ageMs })).spans).toEqual([]);
  });

  it('is one of many, of which one a second is traced', async () => {
    const { spans } = await process([{}, {}, {}], { ageMs });
    expect(namesOf(spans).filter((name) => name === 'capture')).toHaveLength(1);
  });

  it('is none just below the limit', async () => {
    expect((await process([{}], { ageMs: ageMs - 1 })).spans).toEqual([]);
  });
});
