import { describe, expect, it } from 'vitest';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { Metrics } from '#runtime/metrics/metrics.ts';
import { PartitionLag, type PartitionProgress } from '#runtime/partition-lag.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

const lagOf = (unit: string, perUnit: number) => ({
  ...{ name: `halfsight_test_lag_${unit}`, help: 'How far behind.' },
  ...{ labelNames: ['partition'], perUnit },
});
const TABLES = {
  ...{ counters: {}, histograms: {} },
  gauges: { 'lag-records': lagOf('records', 1), 'lag-ms': lagOf('seconds', 1_000) },
};

function setUp() {
  const clock = new ManualClock();
  const telemetry = new Metrics(TABLES);
  const lanes: PartitionProgress[] = [];
  /** The one partition that it has. */
  const stand = (uncommittedOffset: number | undefined, oldestTimestampMs?: number) => {
    lanes[0] = { partition: 3, uncommittedOffset, oldestTimestampMs };
  };
  stand(undefined);
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
      telemetry.families().map((family) => {
        const samples = family.type === 'histogram' ? [] : family.samples;
        const what = family.name.replace('halfsight_test_lag_', '');
        return [what, Object.fromEntries(samples.map((one) => [one.labels.partition, one.value]))];
      }),
    );
  const nowMs = () => clock.nowUs() / 1000;
  return { clock, lanes, stand, ends, broker, lag, shown, nowMs };
}

describe('PartitionLag', () => {
  it('is unknown before the broker has told, and before the position is known', async () => {
    const { stand, ends, lag, shown } = setUp();
    expect(shown()).toEqual({ records: {}, seconds: { 3: 0 } });
    ends.set(3, 7);
    await lag.ask();
    expect(shown().records).toEqual({});
    stand(2);
    expect(shown().records).toEqual({ 3: 5 });
  });

  it('is what is not committed, and the age of the oldest that is here', async () => {
    const { clock, stand, ends, lag, shown, nowMs } = setUp();
    ends.set(3, 10);
    stand(4, nowMs());
    await clock.advance(2_000);
    await lag.ask();
    expect(shown()).toEqual({ records: { 3: 6 }, seconds: { 3: 2 } });
  });

  it('counts the time since the broker told of more, while none of it is here', async () => {
    const { clock, stand, ends, lag, shown } = setUp();
    stand(4);
    ends.set(3, 9);
    await lag.ask();
    await clock.advance(3_000);
    await lag.ask();
    expect(shown()).toEqual({ records: { 3: 5 }, seconds: { 3: 3 } });
    stand(9);
    expect(shown()).toEqual({ records: { 3: 0 }, seconds: { 3: 0 } });
  });

  it('keeps the last answer while the broker is away, forgets partitions that went', async () => {
    const { lanes, stand, ends, broker, lag, shown } = setUp();
    stand(4);
    ends.set(3, 6);
    await lag.ask();
    broker.isAway = true;
    await lag.ask();
    expect(shown().records).toEqual({ 3: 2 });
    lanes.length = 0;
    expect(shown()).toEqual({ records: {}, seconds: {} });
  });

  it('asks at its intervals until it is stopped', async () => {
    const { clock, stand, ends, lag, shown } = setUp();
    stand(0);
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
