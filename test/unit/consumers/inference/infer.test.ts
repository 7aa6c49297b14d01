import { describe, expect, it } from 'vitest';
import type { Batch, Batcher } from '#consumers/inference/batch.ts';
import { Delivery } from '#consumers/inference/delivery.ts';
import type { BatchOutput, EngineBatch } from '#consumers/inference/engine-protocol.ts';
import { inferBatch, runInfer } from '#consumers/inference/infer.ts';
import type { ParsedFrame } from '#consumers/inference/parsed-frame.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { noTracer } from '#runtime/trace.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { outcome, parsedFrame, record } from './fakes.ts';

const GEOMETRY = {
  inputWidth: 64,
  inputHeight: 64,
  content: { x: 0, y: 0, width: 64, height: 64 },
};

/** An engine that fails for batches that hold a mark of `bad`, and `isBroken` for all. */
function setUp(bad: readonly number[]) {
  const clock = new ManualClock();
  const state = {
    isBroken: false,
    undecodable: undefined as number | undefined,
    restarts: 0,
    runs: [] as number[][],
    shadows: [] as (boolean | undefined)[],
    heads: [] as (readonly Task[] | undefined)[],
  };
  const settledAs: string[] = [];
  const run = async (batch: EngineBatch): Promise<BatchOutput> => {
    const marks = batch.frames.map(({ bitstream: [mark = 0] }) => mark);
    state.runs.push(marks);
    state.shadows.push(batch.shadows);
    state.heads.push(batch.heads);
    if (state.isBroken || marks.some((mark) => bad.includes(mark))) {
      throw new HalfsightError('inference-stalled', 'no answer');
    }
    return {
      frames: marks.map((mark) =>
        mark === state.undecodable
          ? { refusal: { code: 'bitstream-malformed', message: 'no' } }
          : { findings: [{ task: 'detection', detections: [] }] },
      ),
      decode: { startUs: 0, endUs: 0 },
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
    blank: () => ({ bitstream: Uint8Array.of(0), geometry: GEOMETRY }),
    overload: { headsFor: () => ['detection'] as const },
    publish: (frame: ParsedFrame) => {
      settledAs.push(`${frame.frame.bitstream[0]} results`);
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

const frames = (...marks: number[]) =>
  marks.map((mark, sequence) => parsedFrame({ mark, sequence }));

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
    // Twice together, then alone; the bad one twice, and a blank one to see whose fault it is.
    expect(state.runs).toEqual([[1, 66, 3], [1, 66, 3], [1], [66], [66], [0], [3]]);
    expect(state.restarts).toBe(0);
  });

  it('is not computed for a generation that is over', async () => {
    const { settledAs, options, state } = setUp([]);
    const delivery = new Delivery(record(0), 0, () => undefined);
    delivery.drop();
    await inferBatch({ frames: [parsedFrame({ delivery })], reason: 'age' }, options);
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

describe('the heads of a batch', () => {
  const wanting = (mark: number, ...heads: readonly Task[]) =>
    parsedFrame({ mark, sequence: mark, heads });
  const headsOf = async (frames: readonly ParsedFrame[], allowed: readonly Task[] = TASKS) => {
    const { options, state } = setUp([66]);
    const overload = { headsFor: () => allowed };
    await inferBatch({ frames, reason: 'count' }, { ...options, overload });
    return state.heads;
  };

  it('are all that any of its frames wants, in their order, and no other', async () => {
    const frames = [wanting(1, 'segmentation'), wanting(2, 'detection', 'segmentation')];
    expect(await headsOf(frames)).toEqual([['detection', 'segmentation']]);
  });

  it('are none that overload forbids, whoever wants it', async () => {
    const frames = () => [wanting(1, 'segmentation'), wanting(2, 'detection', 'segmentation')];
    expect(await headsOf(frames(), ['classification', 'detection'])).toEqual([['detection']]);
    expect(await headsOf(frames(), ['classification'])).toEqual([[]]);
  });

  it("are a frame's own where it is run alone", async () => {
    const frames = [wanting(66, 'segmentation'), wanting(2, 'detection')];
    const heads = await headsOf(frames);
    const both = ['detection', 'segmentation'];
    // Twice together; the bad one twice alone, and a blank one to see whose fault it is.
    expect(heads).toEqual([
      both,
      both,
      ['segmentation'],
      ['segmentation'],
      undefined,
      ['detection'],
    ]);
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

describe('a frame that cannot be decoded', () => {
  it('is a dead letter with its own reason; its companions are not computed again', async () => {
    const { settledAs, options, state } = setUp([]);
    state.undecodable = 2;
    await inferBatch({ frames: frames(1, 2, 3), reason: 'count' }, options);
    expect(settledAs).toEqual(['1 results', 'dead bitstream-malformed', '3 results']);
    expect(state.runs).toEqual([[1, 2, 3]]);
  });
});

it('the engine is told the geometry of each frame', async () => {
  const { options } = setUp([]);
  const batches: EngineBatch[] = [];
  const run = (batch: EngineBatch) => {
    batches.push(batch);
    return options.engine.run(batch);
  };
  await inferBatch(
    { frames: frames(1), reason: 'age' },
    { ...options, engine: { ...options.engine, run } },
  );
  expect(batches[0]?.frames[0]?.geometry).toEqual({
    inputWidth: 416,
    inputHeight: 416,
    content: { x: 0, y: 52, width: 416, height: 312 },
  });
});

describe('heads in shadow', () => {
  it('run while no frame of the batch has waited for long', async () => {
    const { clock, state, options } = setUp([]);
    const waiting = (mark: number) => {
      const delivery = new Delivery(record(mark), clock.nowUs(), () => undefined);
      return parsedFrame({ mark, sequence: mark, delivery });
    };
    const first = waiting(1);
    await clock.advance(LIMITS.shadowWaitMsMax);
    await inferBatch({ frames: [first], reason: 'idle' }, options);
    const second = waiting(2);
    await clock.advance(LIMITS.shadowWaitMsMax + 1);
    await inferBatch({ frames: [waiting(3), second], reason: 'count' }, options);
    expect(state.shadows).toEqual([true, false]);
  });
});

describe('the stage', () => {
  it('gives each batch to the engine of that moment, and what ran it to its results', async () => {
    const { options } = setUp([]);
    const added = { detection: { version: '2', digest: 'ab' } };
    const found: unknown[] = [];
    const batches: Batch[] = [1, 2].map((mark) => ({ frames: frames(mark), reason: 'idle' }));
    const batcher = { next: async () => batches.shift() } as Batcher;
    const { engine, ...rest } = options;
    const engines = [
      engine,
      { ...engine, run: async (batch: EngineBatch) => ({ ...(await engine.run(batch)), added }) },
    ];
    await runInfer(
      batcher,
      { use: async (work) => work(engines.shift() ?? engine) },
      {
        ...rest,
        publish: (_, { added: ran }) => {
          found.push(ran);
          return outcome('results');
        },
      },
    );
    expect(found).toEqual([undefined, added]);
  });
});
