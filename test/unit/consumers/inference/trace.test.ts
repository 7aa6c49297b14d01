import { beforeAll, expect, it } from 'vitest';
import { blankFrame } from '#consumers/inference/decode.ts';
import { inferBatch } from '#consumers/inference/infer.ts';
import { parseDelivery } from '#consumers/inference/parse.ts';
import type { ParsedFrame } from '#consumers/inference/parsed-frame.ts';
import { resultsOutcome } from '#consumers/inference/publish.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { silentLogger } from '#runtime/log.ts';
import type { SpanOptions, Tracer } from '#runtime/trace.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { newLane, outcome, record } from './fakes.ts';
import { type TinyFrames, tinyFrames } from './tiny-frames.ts';

let tiny: TinyFrames;
beforeAll(async () => {
  tiny = await tinyFrames();
});

interface Recorded extends SpanOptions {
  readonly name: string;
  readonly traceparent: string;
  endTimeUs?: number | undefined;
  isEnded: boolean;
}

/** Remembers spans; like the real one it makes none without a parent. */
function recordingTracer() {
  const spans: Recorded[] = [];
  const tracer: Tracer = {
    start(name, options = {}) {
      const isSampled = options.parent !== undefined;
      const traceId = options.parent?.slice(3, 35);
      const spanId = (spans.length + 1).toString(16).padStart(16, '0');
      const span = { name, ...options, traceparent: `00-${traceId}-${spanId}-01`, isEnded: false };
      if (isSampled) spans.push(span);
      return {
        sampled: isSampled,
        traceparent: () => (isSampled ? span.traceparent : undefined),
        set: () => undefined,
        fail: () => undefined,
        end: (endTimeUs) => Object.assign(span, { isEnded: true, endTimeUs }),
      };
    },
  };
  return { spans, tracer };
}

const HEADS = ['classification', 'detection'] as const;

async function process(traceparents: readonly (string | undefined)[]) {
  const { spans, tracer } = recordingTracer();
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const lane = newLane({ telemetry, nowUs: () => clock.nowUs() });
  lane.open(undefined, undefined);
  const common = {
    headsOf: () => HEADS,
    deadLetter: () => outcome('dead'),
    skip: () => outcome('skipped'),
    clock,
    logger: silentLogger,
    tracer,
    telemetry,
  };
  const frames: ParsedFrame[] = [];
  for (const [offset, traceparent] of traceparents.entries()) {
    const headers = traceparent === undefined ? {} : { traceparent: Buffer.from(traceparent) };
    lane.push([record(offset, { value: tiny.record(offset), headers })]);
    const delivery = lane.next();
    if (delivery === undefined) throw new Error('nothing to parse');
    const { bundle, framing } = tiny;
    const options = { ...common, bundle, framing, overload: { skips: () => false } };
    const frame = await parseDelivery({ lane, delivery }, options);
    if (frame !== undefined) frames.push(frame);
  }
  const topics = topicTable();
  await inferBatch(
    { frames, reason: 'age' },
    {
      ...common,
      overload: { headsFor: () => HEADS },
      blank: () => blankFrame(tiny.bundle),
      engine: {
        restart: () => undefined,
        run: async (batch) => ({
          frames: batch.frames.map(() => ({
            findings: [
              { task: 'classification', classifications: [] },
              { task: 'detection', detections: [] },
            ],
          })),
          decode: { startUs: 5, endUs: 9 },
          body: { startUs: 10, endUs: 20 },
          heads: [
            { startUs: 20, endUs: 30 },
            { startUs: 30, endUs: 45 },
          ],
        }),
      },
      publish: (frame, found) =>
        resultsOutcome(frame, found, { ...tiny, heads: HEADS, topics, tracer }),
    },
  );
  const outcomes = lane.deliveries.map((delivery) => delivery.outcome);
  lane.commit(frames.length);
  return { spans, outcomes };
}

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
const OTHER = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`;

it('one trace leads through every step of a sampled frame', async () => {
  const { spans, outcomes } = await process([TRACE]);
  expect(spans.map(({ name }) => name)).toEqual([
    'fetch',
    'parse',
    'batch',
    'decode',
    'body',
    'head classification',
    'head detection',
    'publish',
  ]);
  const [fetch, parse, batch, decode, body, head1, head2, publish] = spans;
  expect(fetch?.parent).toBe(TRACE);
  expect(parse?.parent).toBe(fetch?.traceparent);
  expect(batch?.parent).toBe(parse?.traceparent);
  for (const span of [decode, body, head1, head2, publish])
    expect(span?.parent).toBe(batch?.traceparent);
  expect([decode?.startTimeUs, decode?.endTimeUs]).toEqual([5, 9]);
  expect([head2?.startTimeUs, head2?.endTimeUs]).toEqual([30, 45]);
  expect(spans.every(({ isEnded }) => isEnded)).toBe(true);
  for (const { headers } of outcomes[0]?.records ?? []) {
    expect(headers.traceparent).toBe(publish?.traceparent);
    expect(headers['frame-id']).toBe('cam-1-1700000000000-0');
  }
});

it('frames of one batch are linked to one another; frames not sampled have no spans', async () => {
  const { spans, outcomes } = await process([TRACE, undefined, OTHER]);
  const batches = spans.filter(({ name }) => name === 'batch');
  const parses = spans.filter(({ name }) => name === 'parse');
  expect(batches.map(({ links }) => links)).toEqual([
    [parses[1]?.traceparent],
    [parses[0]?.traceparent],
  ]);
  expect(batches[0]?.attributes).toMatchObject({ 'messaging.batch.message_count': 3 });
  expect(spans.filter(({ name }) => name === 'publish')).toHaveLength(2);
  expect(outcomes[1]?.records.map(({ headers }) => headers.traceparent)).toEqual([
    undefined,
    undefined,
  ]);
});
