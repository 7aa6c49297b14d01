import { describe, expect, it } from 'vitest';
import type { Family } from '#runtime/metrics/family.ts';
import { renderMetrics, wantsOpenMetrics } from '#runtime/metrics/prometheus.ts';

/** What Prometheus 3 sends. */
const PROMETHEUS_ACCEPT =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
  'application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';

const TRACE_ID = 'f'.repeat(32);
const FAMILIES: readonly Family[] = [
  {
    ...{ name: 'frames_total', help: 'Frames.', type: 'counter' },
    samples: [{ labels: { camera_id: 'a "quoted"\nname' }, value: 3 }],
  },
  { name: 'age_seconds', help: 'Age.', type: 'gauge', samples: [{ labels: {}, value: 0.5 }] },
  {
    ...{ name: 'work_seconds', help: 'Work.', type: 'histogram' },
    distributions: [
      {
        ...{ labels: { task: 'a' }, bounds: [0.1, 1], counts: [1, 2, 3], sum: 40, count: 6 },
        exemplars: [
          undefined,
          { traceId: TRACE_ID, value: 0.7, timeUs: 1_700_000_000_123_456 },
          undefined,
        ],
      },
    ],
  },
];

describe('renderMetrics', () => {
  it("writes Prometheus's format where nobody asks for another", async () => {
    const { contentType, text } = await renderMetrics(FAMILIES, undefined);
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text.split('\n')).toEqual([
      '# HELP frames_total Frames.',
      '# TYPE frames_total counter',
      'frames_total{camera_id="a \\"quoted\\"\\nname"} 3',
      '',
      '# HELP age_seconds Age.',
      '# TYPE age_seconds gauge',
      'age_seconds 0.5',
      '',
      '# HELP work_seconds Work.',
      '# TYPE work_seconds histogram',
      'work_seconds_bucket{task="a",le="0.1"} 1',
      'work_seconds_bucket{task="a",le="1"} 3',
      'work_seconds_bucket{task="a",le="+Inf"} 6',
      'work_seconds_sum{task="a"} 40',
      'work_seconds_count{task="a"} 6',
      '',
    ]);
  });

  it('writes OpenMetrics, with exemplars, for a Prometheus', async () => {
    const { contentType, text } = await renderMetrics(FAMILIES, PROMETHEUS_ACCEPT);
    expect(contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(text.split('\n')).toEqual([
      '# HELP frames Frames.',
      '# TYPE frames counter',
      'frames_total{camera_id="a \\"quoted\\"\\nname"} 3',
      '# HELP age_seconds Age.',
      '# TYPE age_seconds gauge',
      'age_seconds 0.5',
      '# HELP work_seconds Work.',
      '# TYPE work_seconds histogram',
      'work_seconds_bucket{task="a",le="0.1"} 1',
      `work_seconds_bucket{task="a",le="1"} 3 # {trace_id="${TRACE_ID}"} 0.7 1700000000.123456`,
      'work_seconds_bucket{task="a",le="+Inf"} 6',
      'work_seconds_sum{task="a"} 40',
      'work_seconds_count{task="a"} 6',
      '# EOF',
      '',
    ]);
  });

  it.each([
    [undefined, false],
    ['*/*', false],
    ['text/plain', false],
    ['application/openmetrics-text', true],
    ['text/plain;q=0.9, application/openmetrics-text;q=0.1', false],
    ['application/openmetrics-text;q=0', false],
    [PROMETHEUS_ACCEPT, true],
  ])('takes "accept: %s" for a wish for OpenMetrics: %s', (accept, isWish) => {
    expect(wantsOpenMetrics(accept)).toBe(isWish);
  });
});
