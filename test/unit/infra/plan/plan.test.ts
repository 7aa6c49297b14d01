import { describe, expect, it } from 'vitest';
import { PARTITIONS_MAX, partitionsFor } from '#infra/plan/consumers.ts';
import type { Fleet } from '#infra/plan/fleet.ts';
import { type Plan, planFleet } from '#infra/plan/plan.ts';
import { planText } from '#infra/plan/text.ts';
import { readEnvironment } from '#runtime/settings.ts';
import { CONSTANTS, FLEET } from './sample.ts';

const GPU: Fleet = { ...FLEET, gpuFramesPerSecond: 2_000 };

function plan(changes: Partial<Fleet>, fleet = FLEET): Plan {
  return planFleet({ ...fleet, ...changes }, CONSTANTS);
}

describe.each([
  ['CPU', FLEET],
  ['GPU', GPU],
])('%s: a plan of any size', (_, fleet) => {
  const sizes = [1, 3, 10, 100, 1_000, 10_000];
  const plans = sizes.map((cameras) => plan({ cameras }, fleet));

  it.each(plans.map((one) => [one.fleet.cameras, one] as const))('%i cameras', (_, one) => {
    const { consumers, agents, brokers } = one;
    const { partitionsPerSite, consumersPerSite, sites, capacity } = consumers;
    expect(partitionsPerSite).toBeGreaterThanOrEqual(consumersPerSite);
    expect(partitionsPerSite % consumersPerSite).toBe(0);
    expect(partitionsPerSite).toBeLessThanOrEqual(PARTITIONS_MAX);
    expect(sites * consumers.camerasPerSite).toBeGreaterThanOrEqual(one.fleet.cameras);
    expect(agents.count * agents.camerasEach).toBeGreaterThanOrEqual(one.fleet.cameras);
    const average = one.framesPerSecond / (sites * consumersPerSite);
    expect(average).toBeLessThanOrEqual(0.7 * capacity.framesPerSecond);
    const fullest = consumers.placement.consumer.worstFullest * one.fleet.framesPerSecond;
    expect(fullest).toBeLessThanOrEqual(capacity.framesPerSecond);
    expect(brokers.count).toBeGreaterThanOrEqual(one.fleet.replication);
    expect(one.headroomShare).toBeGreaterThan(0.4);
  });

  it.each([
    ['agents', (one: Plan) => one.agents.count],
    ['cores of agents', (one: Plan) => one.agents.coresAll],
    ['consumers', ({ consumers }: Plan) => consumers.sites * consumers.consumersPerSite],
    ['partitions', ({ consumers }: Plan) => consumers.sites * consumers.partitionsPerSite],
    ['brokers', (one: Plan) => one.brokers.count],
    ['bytes a second', (one: Plan) => one.brokers.bytesInPerSecond],
    ['disk', (one: Plan) => one.brokers.diskBytes],
  ])('more cameras never need fewer: %s', (_, value) => {
    const values = plans.map(value);
    expect(values).toEqual(values.toSorted((one, other) => one - other));
    expect(values.at(-1)).toBeGreaterThan(values[0] as number);
  });
});

describe('what each wish costs', () => {
  it('more heads: more cores and more bytes', () => {
    const [one, two] = [plan({ heads: ['detection'] }), plan({})];
    expect(two.consumers.engineCores).toBeGreaterThan(one.consumers.engineCores);
    expect(two.brokers.bytesInPerSecond).toBeGreaterThan(one.brokers.bytesInPerSecond);
  });

  it('twice the retention: twice what is kept of frames, and the same open segments', () => {
    const frames = (retentionHours: number) => plan({ retentionHours }).traffic[0];
    const [day, two] = [frames(24), frames(48)];
    expect(two?.openSegmentBytes).toBe(day?.openSegmentBytes);
    const kept = (topic = day) => (topic?.diskBytes ?? 0) - (topic?.openSegmentBytes ?? 0);
    expect(kept(two)).toBeCloseTo(2 * kept(day), -3);
  });

  it('fewer bytes a frame: less traffic, the same consumers', () => {
    const [large, small] = [plan({}), plan({ bitstreamBytes: 1_000 })];
    expect(small.brokers.bytesInPerSecond).toBeLessThan(large.brokers.bytesInPerSecond);
    expect(small.consumers).toEqual(large.consumers);
  });

  it('a slow network: more brokers, and says so', () => {
    const { brokers } = plan({ brokerMegabytesPerSecond: 5 });
    expect(brokers).toMatchObject({ bound: 'network' });
    expect(brokers.bytesInPerSecond / brokers.count).toBeLessThanOrEqual(0.7 * 5e6);
  });

  it('a GPU that is faster than a main thread is shared by consumers', () => {
    const { consumers } = plan({ gpuFramesPerSecond: 20_000 });
    expect(consumers.consumersPerGpu).toBeGreaterThan(1);
    expect(consumers.gpus).toBe(Math.ceil(consumers.consumersPerSite / consumers.consumersPerGpu));
    expect(plan({ gpuFramesPerSecond: 500 }).consumers.consumersPerGpu).toBe(1);
  });

  it('more partitions than a topic may have: several prefixes', () => {
    expect(plan({ cameras: 10_000 }).consumers.sites).toBeGreaterThan(1);
    expect(plan({ cameras: 10_000 }, GPU).consumers.sites).toBe(1);
  });
});

describe('outage and rebalance', () => {
  it('a spool holds what its cameras send in the time', () => {
    const { outage, agents } = plan({ outageMinutes: 20 });
    const bytes = agents.camerasEach * 5 * 1_200 * (3_000 + 150 + 256);
    expect(outage.spoolMegabytesEach).toBe(Math.ceil(bytes / 1024 / 1024));
    expect(outage.frames).toBe(1_000 * 5 * 1_200);
  });

  it('catching up takes the frames that wait over what can be done beside the new ones', () => {
    const { outage, consumers, framesPerSecond } = plan({});
    const spare = consumers.framesPerSecondAll - framesPerSecond;
    expect(outage.catchUpSeconds).toBeCloseTo(outage.frames / spare, 6);
    expect(outage.publishSeconds).toBeLessThan(outage.catchUpSeconds ?? 0);
  });

  it('without anything to spare it never comes to an end, and says so', () => {
    const full = plan({ utilisation: 1, cameras: 1, framesPerSecond: 40 });
    expect(full.outage.catchUpSeconds).toBeUndefined();
    expect(planText(full, CONSTANTS)).toContain('answered after never');
  });

  it('more partitions a consumer: a longer pause', () => {
    const pause = (growth: number) => plan({ growth }, GPU).recovery.killed.pauseSeconds;
    expect(pause(2)).toBe(13);
    expect(pause(50)).toBeGreaterThan(13);
  });
});

it('plans no more partitions of a topic than may be asked for', () => {
  const asked = (count: number) => readEnvironment({ KAFKA_PARTITIONS: String(count) });
  expect(asked(PARTITIONS_MAX).partitionCount).toBe(PARTITIONS_MAX);
  expect(() => asked(PARTITIONS_MAX + 1)).toThrow(/KAFKA_PARTITIONS/);
});

describe('partitionsFor', () => {
  it.each([
    [1, 2, 8],
    [3, 2, 9],
    [10, 2, 20],
    [10, 2.5, 30],
    [600, 2, 600],
    [1024, 2, 1024],
  ])('%i consumers, %d-fold growth: %i', (consumers, growth, partitions) => {
    expect(partitionsFor(consumers, growth)).toBe(partitions);
  });
});

describe('what cannot be', () => {
  it('a camera that no consumer can follow', () => {
    expect(() => plan({ framesPerSecond: 60 })).toThrow(
      /one consumer, which must take all of them/,
    );
  });

  it('more cameras than an agent carries: says how many it does', () => {
    expect(() => plan({ camerasPerAgent: 256, framesPerSecond: 40 })).toThrow(
      expect.objectContaining({
        code: 'usage-invalid',
        advice: expect.stringMatching(/\d+ or less/),
      }),
    );
  });
});

it('the text names the binding limits, the sources and the figure that was given', () => {
  const text = planText(plan({}, GPU), CONSTANTS);
  for (const part of ['Why', 'is the limit', 'Assumed', 'a test, 2026-01-01', '2,000 frames/s']) {
    expect(text).toContain(part);
  }
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});
