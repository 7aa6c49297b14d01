import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CameraBook } from '#producers/camera/camera-book.ts';
import { DropSpans, UNTRACED } from '#producers/camera/frame-trace.ts';
import { Journey } from '#producers/camera/journey.ts';
import { Spool } from '#producers/camera/spool.ts';
import { SpoolStore } from '#producers/camera/spool-store.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { SPOOLED_AT_HEADER } from '#schemas/spooled-at.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { recordingTracer } from '#test/fixtures/recording-tracer.ts';
import { IMAGE_FACTS } from './journeys.ts';

const TRACE = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

let directory: string;
let store: SpoolStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'halfsight-spool-'));
  store = new SpoolStore(directory, LIMITS.spoolBytesMin);
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true });
});

function open(bytesMax: number = LIMITS.spoolBytesMin) {
  const { tracer, spans } = recordingTracer();
  const clock = new ManualClock();
  const book = new CameraBook('gate');
  const spool = new Spool({
    ...{ store, bytesMax, books: new Map([['gate', book]]), topic: 'frames' },
    ...{ clock, logger: silentLogger, tracer, drops: new DropSpans(tracer, clock) },
  });
  const frame = (sequence: number, traceparent?: string) => {
    const identity = { cameraId: 'gate', epoch: 1000, sequence };
    const account = book.captured(identity, 1);
    const facts = { image: IMAGE_FACTS, ratePoint: 0, heads: null, trace: UNTRACED };
    const headers = traceparent === undefined ? { 'frame-id': 'f' } : { traceparent };
    const record = { topic: 'frames', key: 'gate', value: new Uint8Array(100), headers };
    return { journey: new Journey({ identity, ...facts, account }), record };
  };
  return { spool, spans, clock, frame };
}

it('shows how long a traced frame was on the disk; its record says since when', async () => {
  const { spool, spans, clock, frame } = open();
  const storedUs = clock.nowUs();
  spool.append([frame(0, TRACE), frame(1)]);
  await clock.advance(60_000);
  const batch = spool.next(10_000);
  if (batch === undefined) throw new Error('nothing is stored');
  const [traced, other] = batch.records;
  expect(traced?.headers).toMatchObject({
    ...{ traceparent: TRACE, [SPOOLED_AT_HEADER]: String(storedUs) },
  });
  expect(other?.headers[SPOOLED_AT_HEADER]).toBe(String(storedUs));
  expect(spans).toEqual([]);
  spool.acknowledged(batch);
  expect(spans).toMatchObject([
    { name: 'spool', options: { parent: TRACE, startTimeUs: storedUs }, isEnded: true },
  ]);
});

it('shows the drop of a frame that was traced in its trace, and one of the others', () => {
  const { spool, spans, frame } = open(1);
  spool.append([frame(0, TRACE), frame(1), frame(2)]);
  expect(spans.map(({ name }) => name)).toEqual(['spool', 'drop']);
  expect(spans[0]).toMatchObject({
    options: { parent: TRACE },
    set: { 'halfsight.drop.reason': 'spool-full' },
  });
});
