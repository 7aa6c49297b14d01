import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Family, MetricSource } from './family.ts';

const PACKAGE_FILE = join(import.meta.dirname, '..', '..', 'package.json');

/**
 * What any process can tell of itself, under the names that dashboards for Node know. `process` is
 * who it is in `halfsight_build_info`.
 */
export function processMetrics(process: string): MetricSource {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, 'utf8')) as { version: string };
  return { families: () => familiesOf(process, version) };
}

function familiesOf(name: string, version: string): readonly Family[] {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const { active } = performance.eventLoopUtilization();
  const startSeconds = performance.timeOrigin / 1000;
  return [
    {
      name: 'halfsight_build_info',
      help: 'Version of this process; always 1.',
      type: 'gauge',
      samples: [{ labels: { version, process: name }, value: 1 }],
    },
    single('process_start_time_seconds', 'gauge', startSeconds, 'When it started, Unix time.'),
    single('process_cpu_seconds_total', 'counter', (user + system) / 1e6, 'CPU time, all threads.'),
    single('process_resident_memory_bytes', 'gauge', rss, 'Resident memory.'),
    single('nodejs_heap_size_used_bytes', 'gauge', heapUsed, 'Of the main thread: heap in use.'),
    single('nodejs_heap_size_total_bytes', 'gauge', heapTotal, 'Of the main thread: its heap.'),
    single('nodejs_external_memory_bytes', 'gauge', external, 'Memory of buffers, off the heap.'),
    single(
      'nodejs_eventloop_active_seconds_total',
      'counter',
      active / 1000,
      'Time in which the main thread did not wait: its rate is the share that it is busy.',
    ),
  ];
}

function single(name: string, type: 'counter' | 'gauge', value: number, help: string): Family {
  return { name, help, type, samples: [{ labels: {}, value }] };
}
