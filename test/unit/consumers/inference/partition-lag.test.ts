import { describe, expect, it } from 'vitest';
import type { Lane } from '#consumers/inference/lane.ts';
import { PartitionLag } from '#consumers/inference/partition-lag.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { newLane, record } from './fakes.ts';

function setUp() {
  const clock = new ManualClock();
  const telemetry = new Telemetry();
  const lanes: Lane[] = [newLane({ partition: 3 })];
  const ends = new Map([[3, 0]]);
  const broker = {
    isAway: false,
    async offsets() {
      if (this.isAway) throw new HalfsightError('broker-unavailable', 'away');
      return [...ends].map(([partition, high]) => ({ partition, low: 0, high }));
    },
  };
  const lag = new PartitionLag({
    ...{ broker, topic: 'frames', lanes: () => lanes, telemetry, clock },
  });
  /** Records and seconds, by partition. */
  const shown = () =>
    Object.fromEntries(
      ['records', 'seconds'].map((what) => {
        const name = `halfsight_inference_lag_${what}`;
        const family = telemetry.families().find((one) => one.name === name);
        const samples = family === undefined || family.type === 'histogram' ? [] : family.samples;
        return [what, Object.fromEntries(samples.map((one) => [one.labels.partition, one.value]))];
      }),
    );
  const nowMs = () => clock.nowUs() / 1000;
  return { clock, lanes, ends, broker, lag, shown, nowMs };
}

describe('PartitionLag', () => {
  it('is unknown before the broker has told, and before the position is known', async () => {
    const { lanes, ends, lag, shown } = setUp();
    expect(shown()).toEqual({ records: {}, seconds: { 3: 0 } });
    ends.set(3, 7);
    await lag.ask();
    expect(shown().records).toEqual({});
    lanes[0]?.open(2, undefined);
    expect(shown().records).toEqual({ 3: 5 });
  });

  it('is what is not committed, and the age of the oldest that is here', async () => {
    const { clock, lanes, ends, lag, shown, nowMs } = setUp();
    const [lane] = lanes;
    ends.set(3, 10);
    lane?.open(4, undefined);
    lane?.push([4, 5].map((offset) => record(offset, { partition: 3, timestampMs: nowMs() })));
    await clock.advance(2_000);
    await lag.ask();
    expect(shown()).toEqual({ records: { 3: 6 }, seconds: { 3: 2 } });
  });

  it('counts the time since the broker told of more, while none of it is here', async () => {
    const { clock, lanes, ends, lag, shown } = setUp();
    lanes[0]?.open(4, undefined);
    ends.set(3, 9);
    await lag.ask();
    await clock.advance(3_000);
    await lag.ask();
    expect(shown()).toEqual({ records: { 3: 5 }, seconds: { 3: 3 } });
    lanes[0]?.open(9, undefined);
    expect(shown()).toEqual({ records: { 3: 0 }, seconds: { 3: 0 } });
  });

  it('is nothing where only the markers of transactions are left', async () => {
    const { lanes, ends, lag, shown } = setUp();
    lanes[0]?.open(4, undefined);
    ends.set(3, 5);
    lanes[0]?.reached(5);
    await lag.ask();
    expect(shown()).toEqual({ records: { 3: 0 }, seconds: { 3: 0 } });
  });

  it('is what was let go, of a partition that is drained', async () => {
    const { lanes, ends, lag, shown } = setUp();
    const [lane] = lanes;
    ends.set(3, 6);
    lane?.open(4, undefined);
    lane?.push([4, 5].map((offset) => record(offset, { partition: 3 })));
    lane?.reached(6);
    await lag.ask();
    lane?.drain();
    expect(shown().records).toEqual({ 3: 2 });
  });

  it('keeps the last answer while the broker is away, forgets partitions that went', async () => {
    const { lanes, ends, broker, lag, shown } = setUp();
    lanes[0]?.open(4, undefined);
    ends.set(3, 6);
    await lag.ask();
    broker.isAway = true;
    await lag.ask();
    expect(shown().records).toEqual({ 3: 2 });
    lanes.length = 0;
    expect(shown()).toEqual({ records: {}, seconds: {} });
  });

  it('asks at its intervals until it is stopped', async () => {
    const { clock, lanes, ends, lag, shown } = setUp();
    lanes[0]?.open(0, undefined);
    lag.start();
    ends.set(3, 1);
    await clock.advance(LIMITS.metricLagIntervalMs);
    expect(shown().records).toEqual({ 3: 1 });
    lag.stop();
    ends.set(3, 2);
    await clock.advance(2 * LIMITS.metricLagIntervalMs);
    expect(shown().records).toEqual({ 3: 1 });
  });
});
