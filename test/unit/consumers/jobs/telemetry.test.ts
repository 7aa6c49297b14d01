import { expect, it } from 'vitest';
import type { JobDepths } from '#consumers/jobs/job-queue.ts';
import { JobTelemetry } from '#consumers/jobs/telemetry.ts';
import { gather } from '#runtime/metrics/family.ts';

/** Series that are not 0: `name{label=value,...}`. */
function told(telemetry: JobTelemetry): Record<string, number> {
  const series = gather(telemetry.sources).flatMap((family) => {
    const samples =
      family.type === 'histogram'
        ? family.distributions.map(({ labels, sum }) => ({ labels, value: sum }))
        : family.samples;
    return samples.map(({ labels, value }) => {
      const shown = Object.entries(labels).map(([label, text]) => `${label}=${text}`);
      return [`${family.name.replace('halfsight_jobs_', '')}{${shown.join(',')}}`, value] as const;
    });
  });
  return Object.fromEntries(series.filter(([, value]) => value !== 0));
}

it('counts runs by kind and outcome, and what runs now', () => {
  const telemetry = new JobTelemetry(['backfill', 'export'], () => undefined);
  expect(told(telemetry)).toEqual({});
  const night = telemetry.began('backfill');
  const day = telemetry.began('backfill');
  expect(told(telemetry)).toEqual({ 'running{kind=backfill}': 2 });
  night('done', 90_000);
  day('retrying', 500);
  telemetry.began('of-somebody-else')('failed', 1);
  expect(told(telemetry)).toEqual({
    'runs_total{outcome=done,kind=backfill}': 1,
    'runs_total{outcome=retrying,kind=backfill}': 1,
    'run_seconds{kind=backfill}': 90.5,
    'runs_total{outcome=failed,kind=unknown}': 1,
    'run_seconds{kind=unknown}': 0.001,
  });
  const [worker, ...kinds] = telemetry.figures();
  expect(worker).toEqual({ 'redis-up': 0 });
  expect(kinds).toMatchObject([{ kind: 'backfill', 'run-done': 1 }, { kind: 'unknown' }]);
});

it('tells the queue as Redis last told it, and whether that tells', () => {
  let depths: JobDepths | undefined;
  const telemetry = new JobTelemetry([], () => depths);
  expect(told(telemetry)).toEqual({});
  depths = { waiting: 4, delayed: 0, running: 1, failed: 2, done: 0 };
  expect(told(telemetry)).toEqual({
    ...{ 'redis_up{}': 1, 'queue_length{state=waiting}': 4 },
    ...{ 'queue_length{state=running}': 1, 'queue_length{state=failed}': 2 },
  });
});

it('counts seconds in which backfills were held back, and jobs that lost their worker', () => {
  const telemetry = new JobTelemetry([], () => undefined);
  telemetry.throttled('live-lag', 1_000);
  telemetry.throttled('live-lag', 1_002);
  telemetry.throttled('rate', 40);
  telemetry.stalled();
  expect(told(telemetry)).toEqual({
    'throttled_seconds_total{reason=live-lag}': 2.002,
    ...{ 'throttled_seconds_total{reason=rate}': 0.04, 'stalled_total{}': 1 },
  });
});
