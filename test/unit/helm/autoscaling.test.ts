import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { defined } from '#runtime/assert.ts';
import { LIMITS } from '#runtime/limits.ts';
import { seededRandom } from '#runtime/random.ts';
import { desiredBy, type ScaledObjectSpec } from '#test/helm/autoscaler.ts';
import { GOLDEN, type KubernetesObject } from '#test/helm/chart.ts';
import { type FleetOptions, simulate, turns } from '#test/helm/simulated-fleet.ts';

/** The numbers are those that the chart makes of values/keda.yaml. */
const PARTITIONS = 48;
const LAG_SECONDS = 10;
const HOUR = 3_600;

const FLEET: FleetOptions = {
  partitions: PARTITIONS,
  load: () => 110,
  seconds: 3 * HOUR,
  framesPerSecondPerReplica: 25,
  startSeconds: 25,
  rebalanceSeconds: 5,
  replicasAtStart: 2,
};

function chartSpec(): ScaledObjectSpec {
  const documents = parseAllDocuments(readFileSync(join(GOLDEN, 'keda.yaml'), 'utf8'));
  const objects = documents.map((document) => document.toJS() as KubernetesObject);
  const found = objects.find(({ kind }) => kind === 'ScaledObject');
  return defined(found, 'a ScaledObject in golden/keda.yaml').spec as ScaledObjectSpec;
}

/** A day of a shop: little at night, most at noon, and a random tenth more or less each minute. */
function day(seed: number): (at: number) => number {
  const random = seededRandom(seed);
  const noise = Array.from({ length: 24 * 60 }, () => 0.9 + 0.2 * random.next());
  return (at) => {
    const wave = (1 - Math.cos((2 * Math.PI * at) / (24 * HOUR))) / 2;
    return (20 + 220 * wave) * (noise[Math.floor(at / 60) % noise.length] ?? 1);
  };
}

describe('the autoscaling that the chart asks KEDA for', () => {
  const spec = chartSpec();

  it('may have as many replicas as there are partitions, and no more', () => {
    expect(spec.maxReplicaCount).toBe(PARTITIONS);
    const flood = simulate(spec, { ...FLEET, load: () => 3_000, seconds: HOUR });
    expect(Math.max(...flood.map(({ replicas }) => replicas))).toBe(PARTITIONS);
  });

  it('finds as many as a steady load takes, and stays there', () => {
    const samples = simulate(spec, FLEET);
    const settled = samples.filter(({ at }) => at >= HOUR);
    // 110 frames/s by 25 x 0.75 of a replica.
    expect(new Set(settled.map(({ replicas }) => replicas))).toEqual(new Set([6]));
    expect(Math.max(...settled.map(({ lagSeconds }) => lagSeconds))).toBe(0);
  });

  it('follows a day up and down, and turns with it only', () => {
    for (const seed of [1, 2, 3]) {
      const samples = simulate(spec, { ...FLEET, load: day(seed), seconds: 24 * HOUR });
      const most = Math.max(...samples.map(({ replicas }) => replicas));
      expect(most, `seed ${seed}`).toBeGreaterThanOrEqual(10);
      expect(most, `seed ${seed}`).toBeLessThanOrEqual(PARTITIONS);
      expect(Math.min(...samples.map(({ replicas }) => replicas))).toBe(spec.minReplicaCount);
      // Up in the morning, down in the evening; noise is no reason to turn.
      expect(turns(samples), `seed ${seed}`).toBeLessThanOrEqual(2);
      const late = samples.filter(({ lagSeconds }) => lagSeconds > LAG_SECONDS);
      expect(late.length, `seed ${seed}`).toBe(0);
    }
  });

  it('answers a burst by the age of what waits, and lets go of replicas one by one', () => {
    const burst = (at: number) => (at >= HOUR && at < HOUR + 600 ? 300 : 60);
    const samples = simulate(spec, { ...FLEET, load: burst, seconds: 3 * HOUR });
    const peak = Math.max(...samples.map(({ replicas }) => replicas));
    expect(peak).toBeGreaterThanOrEqual(12);
    const caughtUp = defined(
      samples.find(({ at, lagSeconds }) => at > HOUR + 120 && lagSeconds < 1),
      'an end of the lag',
    );
    expect(caughtUp.at - HOUR).toBeLessThan(600);
    const after = samples.filter(({ at }) => at > HOUR + 600);
    for (const [index, { replicas }] of after.entries()) {
      expect(replicas - (after[index + 1]?.replicas ?? replicas)).toBeLessThanOrEqual(1);
    }
    expect(after.at(-1)?.replicas).toBe(4);
    expect(turns(samples)).toBeLessThanOrEqual(2);
  });

  it('keeps up by the lag where a replica does less than was said, and turns slowly', () => {
    const load = () => 150;
    const samples = simulate(spec, { ...FLEET, load, framesPerSecondPerReplica: 15 });
    const settled = samples.filter(({ at }) => at >= HOUR / 2);
    const late = settled.filter(({ lagSeconds }) => lagSeconds > 2 * LAG_SECONDS);
    expect(late.length / settled.length).toBeLessThan(0.25);
    // Nobody leaves before the stabilization window is over.
    const { stabilizationWindowSeconds: window } =
      spec.advanced.horizontalPodAutoscalerConfig.behavior.scaleDown;
    expect(turns(settled)).toBeLessThanOrEqual(2 * Math.ceil((2.5 * HOUR) / window));
  });

  it('would flap without the trigger on the rate', () => {
    const { triggers } = spec;
    const byLagAlone = {
      ...spec,
      triggers: triggers.filter(({ name }) => name !== 'frames-per-second'),
    };
    const samples = simulate(byLagAlone, { ...FLEET, seconds: 6 * HOUR });
    expect(turns(samples)).toBeGreaterThan(10);
    expect(turns(simulate(spec, { ...FLEET, seconds: 6 * HOUR }))).toBeLessThanOrEqual(1);
  });

  it('cannot help where replicas have fewer than three partitions each', () => {
    // Of 15 replicas one has two of 16 partitions, which is 30 of its 25 frames/s.
    const fleet = { ...FLEET, partitions: 16, load: () => 240, seconds: 6 * HOUR };
    const few = simulate({ ...spec, maxReplicaCount: 16 }, fleet);
    expect(Math.max(...few.map(({ replicas }) => replicas))).toBe(16);
    expect(turns(few)).toBeGreaterThan(10);
    expect(turns(simulate(spec, { ...fleet, partitions: PARTITIONS }))).toBeLessThanOrEqual(1);
  });

  it('would not grow where an age is shared out between replicas', () => {
    const [lag] = spec.triggers;
    const trigger = defined(lag, 'the trigger on the lag');
    const observed = { lagSeconds: 30, framesPerSecond: 0, lagRecordsByPartition: [] };
    expect(desiredBy(trigger, 6, observed)).toBe(18);
    expect(desiredBy({ ...trigger, metricType: 'AverageValue' }, 6, observed)).toBe(3);
  });

  it('waits longer than a rebalance takes before it judges again', () => {
    const { scaleUp, scaleDown } = spec.advanced.horizontalPodAutoscalerConfig.behavior;
    const rebalanceSeconds = LIMITS.rebalanceTimeoutMs / 1000;
    expect(scaleUp.stabilizationWindowSeconds).toBeGreaterThanOrEqual(rebalanceSeconds);
    for (const { periodSeconds } of [...scaleUp.policies, ...scaleDown.policies]) {
      expect(periodSeconds).toBeGreaterThanOrEqual(2 * rebalanceSeconds);
    }
  });
});
