import { describe, expect, it } from 'vitest';
import { type Batch, Batcher } from '#consumers/inference/batch.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { parsedFrame, settled } from './fakes.ts';

function setUp() {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const batcher = new Batcher(LIMITS.batchFramesMax, clock, telemetry);
  const taken: (Batch | undefined)[] = [];
  const take = () => void batcher.next().then((batch) => taken.push(batch));
  const describeTaken = () => taken.map((batch) => `${batch?.frames.length} ${batch?.reason}`);
  return { clock, telemetry, batcher, take, taken, describeTaken };
}

describe('a batch closes', () => {
  it('at once when it is full', async () => {
    const { batcher, take, describeTaken, telemetry } = setUp();
    for (let sequence = 0; sequence < LIMITS.batchFramesMax + 1; sequence++) {
      batcher.push(parsedFrame({ sequence }));
    }
    take();
    await settled();
    expect(describeTaken()).toEqual([`${LIMITS.batchFramesMax} count`]);
    expect(telemetry.snapshot()).toMatchObject({
      'batch-closed-count': 1,
      'batch-frames': LIMITS.batchFramesMax,
      'frames-parsed-waiting': 1,
    });
  });

  it('when its oldest frame is old enough, not earlier', async () => {
    const { clock, batcher, take, describeTaken } = setUp();
    take();
    await settled();
    batcher.push(parsedFrame({ sequence: 0 }));
    await clock.advance(LIMITS.batchAgeMsMax - 1);
    batcher.push(parsedFrame({ sequence: 1 }));
    await settled();
    expect(describeTaken()).toEqual([]);
    await clock.advance(1);
    expect(describeTaken()).toEqual(['2 age']);
    expect(clock.timerCount).toBe(0);
  });

  it('at once when the engine was busy for longer than a batch may wait', async () => {
    const { clock, batcher, take, describeTaken } = setUp();
    batcher.push(parsedFrame());
    await clock.advance(1_000);
    take();
    await settled();
    expect(describeTaken()).toEqual(['1 age']);
  });

  it('at once when the engine has nothing to do', async () => {
    const { batcher, take, describeTaken } = setUp();
    for (let slot = 0; slot < LIMITS.batchesInEngineMax; slot++) take();
    await settled();
    batcher.push(parsedFrame());
    await settled();
    expect(describeTaken()).toEqual(['1 idle']);
  });

  it('at once when the engine has come to its end, with all that gathered', async () => {
    const { batcher, take, describeTaken } = setUp();
    for (let slot = 1; slot < LIMITS.batchesInEngineMax; slot++) take();
    for (let sequence = 0; sequence < 3; sequence++) batcher.push(parsedFrame({ sequence }));
    await settled();
    expect(describeTaken()).toEqual([]);
    take();
    await settled();
    expect(describeTaken()).toEqual(['3 idle']);
  });

  it('with what there is when no more will come, and then ends', async () => {
    const { batcher, take, describeTaken } = setUp();
    batcher.push(parsedFrame());
    batcher.close();
    take();
    take();
    await settled();
    expect(describeTaken()).toEqual(['1 drain', 'undefined undefined']);
  });
});

it('two engine slots do not tear one batch into two', async () => {
  const { batcher, take, describeTaken } = setUp();
  for (let sequence = 0; sequence < 4; sequence++) batcher.push(parsedFrame({ sequence }));
  take();
  take();
  await settled();
  expect(describeTaken()).toEqual(['4 idle']);
});

it('frames of a dropped generation are not computed', async () => {
  const { clock, batcher, take, taken } = setUp();
  const stale = parsedFrame({ sequence: 1 });
  batcher.push(stale);
  batcher.push(parsedFrame({ sequence: 2 }));
  stale.delivery.drop();
  take();
  await clock.advance(LIMITS.batchAgeMsMax);
  expect(taken[0]?.frames.map(({ frame }) => frame.sequence)).toEqual([2]);
});

it('parsing waits while enough frames wait for a batch', async () => {
  const { batcher, take } = setUp();
  for (let sequence = 0; sequence < LIMITS.parsedFramesMax; sequence++) {
    await batcher.room();
    batcher.push(parsedFrame({ sequence }));
  }
  let hasRoom = false;
  void batcher.room().then(() => {
    hasRoom = true;
  });
  await settled();
  expect(hasRoom).toBe(false);
  take();
  await settled();
  expect(hasRoom).toBe(true);
});
