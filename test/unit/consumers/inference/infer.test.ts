import { describe, expect, it } from 'vitest';
import type { DecodedFrame } from '#consumers/inference/decoded-frame.ts';
import { Delivery } from '#consumers/inference/delivery.ts';
import type { BatchOutput, EngineBatch } from '#consumers/inference/engine-protocol.ts';
import { inferBatch, packBatch } from '#consumers/inference/infer.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { decodedFrame, outcome, record } from './fakes.ts';

/** An engine that fails for batches that hold a symbol of `bad`, and `isBroken` for all. */
function setUp(bad: readonly number[]) {
  const clock = new ManualClock();
  const state = { isBroken: false, restarts: 0, runs: [] as number[][] };
  const settledAs: string[] = [];
  const run = async (batch: EngineBatch): Promise<BatchOutput> => {
    const marks = batch.ratePoints.map((_, index) => batch.symbols[index * 4] ?? 0);
    state.runs.push(marks);
    if (state.isBroken || marks.some((mark) => bad.includes(mark))) {
      throw new HalfsightError('inference-stalled', 'no answer');
    }
    return {
      findings: marks.map(() => [{ task: 'detection', detections: [] }]),
      body: { startUs: 0, endUs: 1000 },
      heads: [{ startUs: 1000, endUs: 2000 }],
    };
  };
  const options = {
    engine: {
      run,
      restart: () => {
        state.restarts++;
      },
    },
    overload: { headsFor: () => ['detection'] as const },
    publish: (frame: DecodedFrame) => {
      settledAs.push(`${frame.latent.symbols[0]} results`);
      return outcome('results');
    },
    deadLetter: (_: Delivery, error: unknown) => {
      settledAs.push(`dead ${codeOf(error)}`);
      return outcome('dead');
    },
    clock,
    logger: silentLogger,
    tracer: noTracer,
    telemetry: new Telemetry(),
  };
  return { clock, state, settledAs, options };
}

const frames = (...symbols: number[]) =>
  symbols.map((symbol, sequence) => decodedFrame({ symbol, sequence }));

describe('a batch', () => {
  it('gives every frame its results', async () => {
    const { settledAs, options, state } = setUp([]);
    await inferBatch({ frames: frames(1, 2, 3), reason: 'count' }, options);
    expect(settledAs).toEqual(['1 results', '2 results', '3 results']);
    expect(state.runs).toEqual([[1, 2, 3]]);
  });

  it('with a bad frame costs only that frame', async () => {
    const { settledAs, options, state } = setUp([66]);
    await inferBatch({ frames: frames(1, 66, 3), reason: 'count' }, options);
    expect(settledAs).toEqual(['1 results', 'dead inference-failed', '3 results']);
    // Twice together, then alone; the bad one twice, and a frame of zeros to see whose fault it is.
    expect(state.runs).toEqual([[1, 66, 3], [1, 66, 3], [1], [66], [66], [0], [3]]);
    expect(state.restarts).toBe(0);
  });

  it('is not computed for a generation that is over', async () => {
    const { settledAs, options, state } = setUp([]);
    const delivery = new Delivery(record(0), 0, () => undefined);
    delivery.drop();
    await inferBatch({ frames: [decodedFrame({ delivery })], reason: 'age' }, options);
    expect(state.runs).toEqual([]);
    expect(settledAs).toEqual([]);
  });

  it('that cannot be published becomes a dead letter', async () => {
    const { settledAs, options } = setUp([]);
    const publish = () => {
      throw new HalfsightError('record-too-large', 'masks');
    };
    await inferBatch({ frames: frames(1), reason: 'age' }, { ...options, publish });
    expect(settledAs).toEqual(['dead record-too-large']);
  });
});

describe('a broken engine', () => {
  it('makes no dead letters: it is replaced until it works again', async () => {
    const { settledAs, options, state, clock } = setUp([]);
    state.isBroken = true;
    const done = inferBatch({ frames: frames(1), reason: 'age' }, options);
    await clock.advance(10);
    expect(settledAs).toEqual([]);
    expect(state.restarts).toBe(1);
    state.isBroken = false;
    await clock.advance(60_000);
    await done;
    expect(settledAs).toEqual(['1 results']);
  });

  it('ends the process when it stays broken', async () => {
    const { settledAs, options, state, clock } = setUp([]);
    state.isBroken = true;
    const done = inferBatch({ frames: frames(1), reason: 'age' }, options);
    const failure = expect(done).rejects.toMatchObject({ code: 'inference-failed' });
    await clock.advance(600_000);
    await failure;
    expect(settledAs).toEqual([]);
  });
});

describe('packing', () => {
  it('takes 16 bits where the symbols fit, and 32 where one does not', () => {
    expect(packBatch(frames(-32768, 32767)).symbols).toEqual(
      Int16Array.of(-32768, -32768, -32768, -32768, 32767, 32767, 32767, 32767),
    );
    expect(packBatch(frames(1, 32768)).symbols).toEqual(
      Int32Array.of(1, 1, 1, 1, 32768, 32768, 32768, 32768),
    );
  });

  it('carries the rate point and the geometry of each frame', () => {
    const [one] = frames(1);
    const other = one && { ...one, frame: { ...one.frame, ratePoint: 2 } };
    const batch = packBatch(one && other ? [one, other] : []);
    expect(batch.ratePoints).toEqual([0, 2]);
    expect(batch).toMatchObject({ channels: 1, height: 2, width: 2 });
    expect(batch.geometries[1]?.content).toEqual({ x: 0, y: 52, width: 416, height: 312 });
  });
});
