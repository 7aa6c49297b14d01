import { describe, expect, it } from 'vitest';
import { DropSpans, Sampler, startFrameTrace, UNTRACED } from '#producers/camera/frame-trace.ts';
import { LIMITS } from '#runtime/limits.ts';
import { noTracer } from '#runtime/trace.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { recordingTracer } from '#test/fixtures/recording-tracer.ts';

const IDENTITY = { cameraId: 'gate', epoch: 1000, sequence: 7 };

describe('startFrameTrace', () => {
  it('leads from capture through encode to publish, whose span goes into the header', () => {
    const { tracer, spans } = recordingTracer();
    const trace = startFrameTrace(tracer, IDENTITY, 123, 'frames');
    trace.encoding();
    const bitstream = new Uint8Array(99);
    trace.encoded({ encodeTimeUs: 456, encodeDurationUs: 56, bitstream });
    expect(trace.traceparent()).toBe(spans[3]?.traceparent);
    trace.published();
    const names = ['capture', 'await encoder', 'encode', 'send frames'];
    expect(spans.map(({ name }) => name)).toEqual(names);
    for (const [index, { options }] of spans.entries()) {
      expect(options.parent).toBe(spans[index - 1]?.traceparent);
    }
    expect(spans.every(({ isEnded }) => isEnded)).toBe(true);
    const [capture, wait, encode, send] = spans;
    expect(capture?.options).toMatchObject({ root: true, startTimeUs: 123 });
    expect(wait?.endTimeUs).toBe(400);
    expect(encode).toMatchObject({ endTimeUs: 456, set: { 'halfsight.bitstream.bytes': 99 } });
    expect(encode?.options.startTimeUs).toBe(400);
    expect(send?.options).toMatchObject({ kind: 'producer', startTimeUs: 456 });
    for (const { options } of spans) {
      expect(options.attributes).toMatchObject({ 'halfsight.frame.id': 'gate-1000-7' });
    }
  });

  it('ends the span in which the frame was dropped, with the reason', () => {
    const { tracer, spans } = recordingTracer();
    const trace = startFrameTrace(tracer, IDENTITY, 123, 'frames');
    trace.encoding();
    trace.dropped('encoder-busy');
    expect(spans).toHaveLength(2);
    expect(spans[1]).toMatchObject({
      name: 'await encoder',
      isEnded: true,
      set: { 'halfsight.drop.reason': 'encoder-busy' },
    });
  });

  it('is nothing at all when the tracer does not sample', () => {
    expect(startFrameTrace(noTracer, IDENTITY, 123, 'frames')).toBe(UNTRACED);
  });
});

describe('DropSpans', () => {
  it('makes one span a second of each camera and reason', async () => {
    const { tracer, spans } = recordingTracer();
    const clock = new ManualClock();
    const drops = new DropSpans(tracer, clock);
    const drop = (cameraId: string, reason: string) =>
      drops.dropped({ cameraId, epoch: 1, sequence: 2 }, 5, reason);
    for (let times = 0; times < 3; times++) drop('gate', 'encoder-busy');
    drop('gate', 'shutdown');
    drop('yard', 'encoder-busy');
    expect(spans).toHaveLength(3);
    expect(spans[0]).toMatchObject({
      name: 'drop',
      isEnded: true,
      options: {
        root: true,
        startTimeUs: 5,
        attributes: {
          'halfsight.frame.id': 'gate-1-2',
          'halfsight.camera.id': 'gate',
          'halfsight.drop.reason': 'encoder-busy',
        },
      },
    });
    await clock.advance(LIMITS.dropSpanIntervalMs);
    drop('gate', 'encoder-busy');
    drop('gate', 'encoder-busy');
    expect(spans).toHaveLength(4);
  });
});

describe('Sampler', () => {
  const count = (sampler: Sampler, epoch: number) =>
    Array.from({ length: 10_000 }, (_, sequence) => sequence).filter((sequence) =>
      sampler.isSampled({ cameraId: 'gate', epoch, sequence }),
    );

  it('samples about the ratio that it was given', () => {
    expect(count(new Sampler(0, 1), 5)).toHaveLength(0);
    expect(count(new Sampler(1, 1), 5)).toHaveLength(10_000);
    const sampled = count(new Sampler(0.05, 1), 5).length;
    expect(sampled).toBeGreaterThan(400);
    expect(sampled).toBeLessThan(600);
  });

  it('samples a camera that has a ratio of its own by that', () => {
    const sampler = new Sampler(0, 1);
    sampler.setRatio('gate', 0.5);
    const sampled = count(sampler, 5).length;
    expect(sampled).toBeGreaterThan(4_500);
    expect(sampled).toBeLessThan(5_500);
    expect(sampler.isSampled({ cameraId: 'yard', epoch: 5, sequence: 0 })).toBe(false);
    sampler.setRatio('gate', undefined);
    expect(count(sampler, 5)).toHaveLength(0);
  });

  it('gives the same answer for the same frame, and others for another epoch or seed', () => {
    const sampled = count(new Sampler(0.05, 1), 5);
    expect(count(new Sampler(0.05, 1), 5)).toEqual(sampled);
    expect(count(new Sampler(0.05, 1), 6)).not.toEqual(sampled);
    expect(count(new Sampler(0.05, 2), 5)).not.toEqual(sampled);
  });
});
