import { describe, expect, it } from 'vitest';
import { Sampler, startFrameTrace, UNTRACED } from '#producers/camera/frame-trace.ts';
import { noTracer, type SpanOptions, type Tracer } from '#runtime/trace.ts';

interface RecordedSpan {
  readonly name: string;
  readonly options: SpanOptions;
  readonly set: Record<string, unknown>;
  endTimeUs: number | undefined;
  isEnded: boolean;
}

function recordingTracer() {
  const spans: RecordedSpan[] = [];
  const tracer: Tracer = {
    start(name, options = {}) {
      const span: RecordedSpan = { name, options, set: {}, endTimeUs: undefined, isEnded: false };
      const index = spans.push(span) - 1;
      return {
        sampled: true,
        traceparent: () => `00-trace-${index}-01`,
        set: (key, value) => {
          span.set[key] = value;
        },
        fail: () => undefined,
        end: (endTimeUs) => {
          expect(span.isEnded, `${name} ends once`).toBe(false);
          span.isEnded = true;
          span.endTimeUs = endTimeUs;
        },
      };
    },
  };
  return { tracer, spans };
}

const IDENTITY = { cameraId: 'gate', epoch: 1000, sequence: 7 };

describe('startFrameTrace', () => {
  it('leads from capture through encode to publish, whose span goes into the header', () => {
    const { tracer, spans } = recordingTracer();
    const trace = startFrameTrace(tracer, IDENTITY, 123, 'frames');
    trace.encoding();
    trace.encoded(456, 99);
    expect(trace.traceparent()).toBe('00-trace-2-01');
    trace.published();
    expect(spans.map(({ name }) => name)).toEqual(['capture', 'encode', 'send frames']);
    expect(spans.map(({ options }) => options.parent)).toEqual([
      undefined,
      '00-trace-0-01',
      '00-trace-1-01',
    ]);
    expect(spans.every(({ isEnded }) => isEnded)).toBe(true);
    expect(spans[0]?.options).toMatchObject({ root: true, startTimeUs: 123 });
    expect(spans[1]).toMatchObject({ endTimeUs: 456, set: { 'halfsight.bitstream.bytes': 99 } });
    expect(spans[2]?.options).toMatchObject({ kind: 'producer', startTimeUs: 456 });
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
      name: 'encode',
      isEnded: true,
      set: { 'halfsight.drop.reason': 'encoder-busy' },
    });
  });

  it('is nothing at all when the tracer does not sample', () => {
    expect(startFrameTrace(noTracer, IDENTITY, 123, 'frames')).toBe(UNTRACED);
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

  it('gives the same answer for the same frame, and others for another epoch or seed', () => {
    const sampled = count(new Sampler(0.05, 1), 5);
    expect(count(new Sampler(0.05, 1), 5)).toEqual(sampled);
    expect(count(new Sampler(0.05, 1), 6)).not.toEqual(sampled);
    expect(count(new Sampler(0.05, 2), 5)).not.toEqual(sampled);
  });
});
