import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processMetrics } from '#runtime/metrics/process-metrics.ts';

it('tells the version, and what the process takes', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const families = new Map(
    processMetrics('test')
      .families()
      .map((family) => [family.name, family.type === 'histogram' ? [] : family.samples]),
  );
  const reading = (name: string) => families.get(name)?.[0]?.value ?? Number.NaN;
  expect(families.get('halfsight_build_info')).toEqual([
    { labels: { version, process: 'test' }, value: 1 },
  ]);
  expect(reading('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(reading('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(reading('process_start_time_seconds')).toBeGreaterThan(1.7e9);
});
