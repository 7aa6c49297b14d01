import { describe, expect, it } from 'vitest';
import type { EngineChannel, FromEngine, ToEngine } from '#consumers/inference/engine-protocol.ts';
import { engineMsPerBatch, lastFigures } from '#test/bench/age/engine-time.ts';
import { type FrameTimes, idleGoalMs, stageAges } from '#test/bench/age/stage-ages.ts';
import { frameBill } from '#test/bench/agent/frame-bill.ts';
import {
  breakdownOf,
  recordingTracer,
  StageTimes,
  watchEngine,
} from '#test/bench/consumer/stage-times.ts';
import type { AgentFigures } from '#test/bench/instruments/agent-protocol.ts';

describe('the breakdown of a consumer', () => {
  it('takes the engine out of the time from decoded to settled', () => {
    const times = new StageTimes();
    const tracer = recordingTracer(times);
    for (const shift of [0, 100, 200]) {
      tracer.start('fetch', { startTimeUs: 0 }).end(1_000 + shift);
      tracer.start('parse', { startTimeUs: 0 }).end(300);
      times.add('decode', 700);
      tracer.start('batch', { startTimeUs: 0 }).end(20_000 + shift);
      tracer.start('publish', { startTimeUs: 0 }).end(7_000);
      tracer.start('commit', { startTimeUs: 0 }).end(2_000);
      times.add('engine', 15_000);
    }
    expect(breakdownOf(times)).toEqual({
      laneUs: 1_100,
      parseUs: 300,
      batchUs: 5_100,
      decodeUs: 700,
      engineUs: 15_000,
      commitUs: 9_000,
    });
  });

  it('a step that nobody took is no number, rather than nothing', () => {
    expect(breakdownOf(new StageTimes()).decodeUs).toBeNaN();
  });

  it('watches an engine without getting in its way', () => {
    const sent: ToEngine[] = [];
    let answer: (message: FromEngine) => void = () => undefined;
    const inner: EngineChannel = {
      send: (message) => void sent.push(message),
      kill: () => undefined,
      onMessage: (handler) => {
        answer = handler;
      },
      onExit: () => undefined,
    };
    const times = new StageTimes();
    const watched = watchEngine(() => inner, times);
    const channel = watched.channel();
    const received: FromEngine[] = [];
    channel.onMessage((message) => received.push(message));
    const run = { kind: 'run', id: 7, batch: { frames: [] } } as const;
    channel.send(run);
    const named = { classId: 1, label: 'car', score: 1 };
    const interval = { startUs: 0, endUs: 1 };
    const findings = [{ task: 'classification', classifications: [named, named] } as const];
    const output = { frames: [{ findings }], decode: interval, body: interval, heads: [] };
    const done = { kind: 'done', id: 7, output } as const;
    answer(done);
    expect(sent).toEqual([run]);
    expect(received).toEqual([done]);
    expect(watched.findings()).toBe(2);
    expect(times.medianUs('engine')).toBeGreaterThanOrEqual(0);
    expect(times.medianUs('engine')).toBeLessThan(1e6);
  });
});

describe('the bill of a frame in an agent', () => {
  it('is what grew between two looks, by published frame, without the camera', () => {
    const look = (frames: number, threadUs: number): AgentFigures => ({
      cost: {
        wallMs: frames * 10,
        threadUs,
        processUs: 10 * threadUs,
      },
      captured: 2 * frames,
      published: frames,
      dropped: frames,
      encoded: frames,
      encodeUs: 15_000 * frames,
      sourceUs: 50 * frames,
      stagesUs: { capture: frames, wrap: 30 * frames, publish: 0, send: 0 },
      lateMs: 3,
      holding: { heapBytes: 0, residentBytes: 0 },
    });
    const bill = frameBill(look(100, 1_000), look(300, 41_000));
    expect(bill).toMatchObject({
      framesPerSecond: 100,
      droppedShare: 0.5,
      encodeUs: 15_000,
      wrapUs: 30,
      sourceUs: 50,
      mainUs: 200,
      processUs: 1_950,
    });
  });
});

describe('ages', () => {
  it('of the stages are of one frame each, and add up in every frame', () => {
    const frames = Array.from({ length: 100 }, (_, index): FrameTimes => {
      const captureUs = 1e6 * index;
      return {
        captureUs,
        encodedUs: captureUs + 15_000,
        writtenUs: captureUs + 36_000,
        inferredUs: captureUs + 60_000 + 1_000 * index,
        publishedUs: captureUs + 70_000 + 1_000 * index,
        receivedUs: captureUs + 80_000 + 1_000 * index,
      };
    });
    const ages = stageAges(frames);
    expect(ages['capture to encoded']).toEqual({ p50: 15, p95: 15, p99: 15 });
    expect(ages['encoded to record'].p50).toBe(21);
    expect(ages['record to inferred']).toEqual({ p50: 73, p95: 118, p99: 122 });
    expect(ages['capture to subscriber']).toEqual({ p50: 129, p95: 174, p99: 178 });
  });

  it('the goal of an idle pipeline', () => {
    expect(idleGoalMs(35, 50)).toBe(105);
  });

  it('reads the engine from the last figures of a log', () => {
    const line = (fields: object) => JSON.stringify({ level: 'info', ...fields });
    const log = [
      'a line of something else',
      line({ event: 'figures', 'body-ms': 1, 'batch-closed-age': 1 }),
      line({
        event: 'figures',
        'body-ms': 80,
        'head-ms-detection': 30,
        'head-ms-segmentation': 10,
        'batch-closed-age': 5,
        'batch-closed-count': 7,
        'batch-frames': 20,
      }),
      line({ event: 'process-stopped' }),
    ].join('\n');
    const figures = lastFigures(log);
    expect(figures && engineMsPerBatch(figures)).toBe(10);
    expect(lastFigures('nothing')).toBeUndefined();
  });
});
