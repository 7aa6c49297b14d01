import { describe, expect, it } from 'vitest';
import { byLabel } from '#runtime/metrics/by-label.ts';
import { gather } from '#runtime/metrics/family.ts';
import { Metrics, type MetricTables } from '#runtime/metrics/metrics.ts';

const TABLES = {
  counters: {
    read: { name: 'halfsight_test_read_total', help: 'Read.' },
    ...byLabel('failed', 'reason', ['late', 'broken'], {
      name: 'halfsight_test_failed_total',
      help: 'Failed.',
    }),
  },
  histograms: {
    ...byLabel('work-ms', 'task', ['a', 'b'], {
      name: 'halfsight_test_work_seconds',
      help: 'Work.',
      bounds: [0.01, 1],
      perUnit: 1000,
    }),
  },
  gauges: {
    waiting: { name: 'halfsight_test_waiting', help: 'Waiting.' },
    'age-ms': {
      name: 'halfsight_test_age_seconds',
      help: 'Age.',
      perUnit: 1000,
      labelNames: ['partition'],
    },
    elsewhere: { name: 'halfsight_test_elsewhere_total', help: 'Kept elsewhere.' },
  },
} as const satisfies MetricTables;

function samplesOf(metrics: Metrics<typeof TABLES>, name: string) {
  const family = metrics.families().find((one) => one.name === name);
  return family === undefined || family.type === 'histogram' ? undefined : family.samples;
}

describe('Metrics', () => {
  it('makes one family of all names that have its name, zeros too', () => {
    const metrics = new Metrics(TABLES);
    metrics.count('failed-late');
    metrics.count('failed-late', 2);
    expect(samplesOf(metrics, 'halfsight_test_failed_total')).toEqual([
      { labels: { reason: 'late' }, value: 3 },
      { labels: { reason: 'broken' }, value: 0 },
    ]);
    expect(metrics.total('failed-late')).toBe(3);
    expect(metrics.total('failed-broken')).toBe(0);
  });

  it('does not compile with a name that is not in its table', () => {
    const metrics = new Metrics(TABLES);
    // @ts-expect-error
    metrics.count('failed-otherwise');
    // @ts-expect-error
    metrics.gauge('asleep', () => 0);
    // @ts-expect-error
    expect(() => metrics.observe('work-ms-c', 1)).toThrow('work-ms-c');
  });

  it('exports base units of what is counted in others', () => {
    const metrics = new Metrics(TABLES);
    metrics.observe('work-ms-a', 500);
    metrics.series('age-ms', () => [{ labels: { partition: '3' }, value: 1500 }]);
    const [work] = metrics.families().filter(({ type }) => type === 'histogram');
    expect(work).toMatchObject({
      name: 'halfsight_test_work_seconds',
      distributions: [
        { labels: { task: 'a' }, sum: 0.5, count: 1, counts: [0, 1, 0] },
        { labels: { task: 'b' }, sum: 0, count: 0, counts: [0, 0, 0] },
      ],
    });
    expect(samplesOf(metrics, 'halfsight_test_age_seconds')).toEqual([
      { labels: { partition: '3' }, value: 1.5 },
    ]);
  });

  it('reads gauges when asked, and takes one that only grows for a counter', () => {
    const metrics = new Metrics(TABLES);
    let waiting = 1;
    metrics.gauge('waiting', () => waiting);
    metrics.gauge('elsewhere', () => 7);
    waiting = 2;
    expect(samplesOf(metrics, 'halfsight_test_waiting')).toEqual([{ labels: {}, value: 2 }]);
    expect(metrics.families().find(({ name }) => name.endsWith('elsewhere_total'))).toMatchObject({
      type: 'counter',
      samples: [{ value: 7 }],
    });
  });

  it('gives the log what has a value, by the names of its tables', () => {
    const metrics = new Metrics(TABLES);
    metrics.count('read', 1.6);
    metrics.observe('work-ms-b', 12.4);
    metrics.gauge('waiting', () => 5);
    metrics.series('age-ms', () => [{ labels: { partition: '0' }, value: 1 }]);
    expect(metrics.snapshot()).toEqual({ read: 2, 'work-ms-b': 12, waiting: 5 });
  });

  it('joins the families of several of its kind, which their labels set apart', () => {
    const [one, two] = ['one', 'two'].map((hook) => new Metrics(TABLES, { labels: { hook } }));
    one?.count('read');
    const all = gather([one, two].filter((metrics) => metrics !== undefined));
    expect(all.filter(({ name }) => name === 'halfsight_test_read_total')).toEqual([
      {
        name: 'halfsight_test_read_total',
        help: 'Read.',
        type: 'counter',
        samples: [
          { labels: { hook: 'one' }, value: 1 },
          { labels: { hook: 'two' }, value: 0 },
        ],
      },
    ]);
  });

  it('refuses two families of one name that are not of one type', () => {
    const family = { name: 'x', help: 'X.', samples: [] };
    const sources = [
      { families: () => [{ ...family, type: 'gauge' as const }] },
      { families: () => [{ ...family, type: 'counter' as const }] },
    ];
    expect(() => gather(sources)).toThrow('x is a gauge here and a counter there');
  });
});
