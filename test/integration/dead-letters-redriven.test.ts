import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OutgoingRecord } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { encodeCameraStatus } from '#schemas/camera-status.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { type FrameIdentity, frameId } from '#schemas/frame.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { TASKS } from '#schemas/result.ts';
import type { TopicTable } from '#schemas/topics.ts';
import { startOtlpSink } from '#test/fixtures/otlp-sink.ts';
import { readTopic } from '#test/fixtures/read-topic.ts';
import { until } from '#test/fixtures/until.ts';
import { EPOCH, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { DEAD_LETTERS, scene } from './dead-letter-writer.ts';
import { countResults, readResults, startInference } from './inference-process.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const BALANCE = join(ROOT, 'consumers', 'subscriber', 'balance-main.ts');
/** Of another input size than the frames of these tests: it refuses every one of them. */
const OTHER_BUNDLE = join(ROOT, 'models', 'bundles', 'halfsight-lite0');
const FRAMING = singleObjectFraming();
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';

/** A camera that has captured `published` frames and then ended. */
function finalStatus(topics: TopicTable, cameraId: string, published: number): OutgoingRecord {
  const value = encodeCameraStatus(
    {
      ...{ cameraId, epoch: EPOCH, agentId: 'test', state: 'ended' },
      ...{ captured: published, published },
      ...{ dropped: {}, reconnects: 0, lastFrameTimeUs: 1, framesPerSecond: 1 },
      ...{ ratePoint: null, framesPerSecondLimit: null, profileChanges: 0 },
      ...{ timeUs: 1, final: true, interrupted: false, sendsPictures: false, detail: '' },
    },
    FRAMING,
  );
  return { topic: topics.status.name, key: cameraId, value, headers: {} };
}

const ONCE_EACH = (frames: readonly FrameIdentity[]) =>
  new Map(frames.flatMap((frame) => TASKS.map((task) => [`${task} ${frameId(frame)}`, 1])));

describe('frames that became dead letters', () => {
  it('have results once after a redrive, late and in their trace, and it adds up', async () => {
    const { brokers, prefix, topics, broker, start, run, list } = await scene('redrive');
    const sink = await startOtlpSink();
    const tiny = await tinyFrames();
    const frames = (from: number, to: number) =>
      ['gate', 'yard'].flatMap((cameraId) =>
        Array.from({ length: to - from }, (_, index) => tiny.frame(from + index, { cameraId })),
      );
    const producer = await broker.openProducer();
    const send = (some: readonly ReturnType<typeof tiny.frame>[]) =>
      producer.send(
        some.map((frame) => ({
          topic: topics.frames.name,
          key: frame.cameraId,
          value: tiny.record(frame.sequence, frame),
          headers: {
            'frame-id': frameId(frame),
            traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`,
          },
        })),
      );
    await send(frames(0, 5));

    // With another bundle every frame is refused; those of one camera are so twice.
    const other = startInference(brokers, prefix, { HALFSIGHT_BUNDLE: OTHER_BUNDLE });
    const reader = await readResults(broker, topics, `${prefix}-reader`);
    const sees = (letters: number, results: number, from: { output(): string }) =>
      until(
        () => reader.deadLetters.length >= letters && reader.results.length >= results,
        60_000,
        () => `${reader.deadLetters.length}, ${reader.results.length}\n${from.output()}`,
      );
    await sees(10, 0, other);
    const first = await run(DEAD_LETTERS, 'redrive', '--camera', 'gate', '--yes');
    expect(first).toEqual({ code: 0, output: '5 letters redriven.\n' });
    await sees(15, 0, other);
    await other.stop();
    const again = reader.deadLetters.slice(10).map(({ value }) => decodeDeadLetter(value, FRAMING));
    expect(again.map(({ redrives }) => redrives)).toEqual([1, 1, 1, 1, 1]);

    // Later frames of both cameras are answered first.
    const right = startInference(brokers, prefix, sink.variables);
    await send(frames(5, 7));
    await producer.send(['gate', 'yard'].map((cameraId) => finalStatus(topics, cameraId, 7)));
    await sees(15, 4 * TASKS.length, right);
    const before = await run(BALANCE);
    expect(before.output).toMatch(/^gate .* 7( +2){3} +0 +5 +0 +0 +0 {2}adds up$/m);
    expect(before.code).toBe(0);

    expect((await list()).map(({ state }) => state).sort()).toEqual([
      ...Array.from({ length: 10 }, () => 'open'),
      ...Array.from({ length: 5 }, () => 'redriven'),
    ]);
    // Two at once, and once more.
    const redrives = [0, 1].map(() =>
      start(DEAD_LETTERS, ['redrive', '--yes', '--note', 'bundle']),
    );
    await Promise.all(redrives.map(({ exited }) => exited));
    const last = await run(DEAD_LETTERS, 'redrive', '--yes');
    expect(last.code, last.output).toBe(0);
    await sees(15, 14 * TASKS.length, right);
    await systemClock.sleep(1_000);
    expect(await right.stop(), right.output()).toBe(0);

    expect(countResults(reader.results)).toEqual(ONCE_EACH(frames(0, 7)));
    expect(reader.deadLetters).toHaveLength(15);
    for (const { cameraId, sequence, redrives: times } of reader.results) {
      expect(times).toBe(sequence >= 5 ? 0 : cameraId === 'gate' ? 2 : 1);
    }
    const records = await readTopic(broker, topics.results.detection.name, {
      groupId: `${prefix}-traces`,
      count: 14,
    });
    for (const { headers } of records) {
      expect(Buffer.from(headers.traceparent ?? []).toString()).toContain(TRACE_ID);
    }
    expect((await list()).every(({ state }) => state === 'redriven')).toBe(true);
    const after = await run(BALANCE);
    expect(after.output).toMatch(/^gate .* 7( +7){3} +0 +0 +0 +0 +0 {2}adds up$/m);
    expect(after.output).toContain('10 frames were redriven from the dead letters');
    expect(after.code).toBe(0);
    await sink.close();
  });
});
