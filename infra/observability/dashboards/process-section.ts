import type { Section } from './dashboard.ts';

/** What any process tells of itself. `matching`: PromQL's, without the braces. */
export function processSection(matching: string): Section {
  const busy = `nodejs_eventloop_active_seconds_total{${matching}}`;
  return {
    title: 'Processes',
    charts: [
      {
        title: 'CPU',
        about: 'Cores in use, by all threads of a process.',
        unit: 'short',
        queries: {
          '{{instance}}': `rate(process_cpu_seconds_total{${matching}}[$__rate_interval])`,
        },
      },
      {
        title: 'Main thread',
        about: 'Share of the time in which the main thread is busy. At 1 everything waits for it.',
        unit: 'percentunit',
        queries: {
          '{{instance}}': `rate(${busy}[$__rate_interval])`,
        },
      },
      {
        title: 'Memory',
        about: 'Resident memory. What a process holds of frames is bounded by its budgets.',
        unit: 'bytes',
        queries: { '{{instance}}': `process_resident_memory_bytes{${matching}}` },
      },
    ],
  };
}
