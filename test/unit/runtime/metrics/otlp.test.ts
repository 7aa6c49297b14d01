import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { createLogger, silentLogger } from '#runtime/log.ts';
import { ExportWatch } from '#runtime/metrics/export-watch.ts';
import type { Family } from '#runtime/metrics/family.ts';
import { startMetricsExport } from '#runtime/metrics/otlp.ts';

interface OtlpMetrics {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string }[] };
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

const FAMILIES: readonly Family[] = [
  {
    ...{ name: 'halfsight_test_read_total', help: 'Read.', type: 'counter' },
    samples: [{ labels: { task: 'a' }, value: 3 }],
  },
  {
    ...{ name: 'halfsight_test_held_bytes', help: 'Held.', type: 'gauge' },
    samples: [{ labels: {}, value: 7 }],
  },
  {
    ...{ name: 'halfsight_test_work_seconds', help: 'Work.', type: 'histogram' },
    distributions: [
      { labels: {}, bounds: [0.1, 1], counts: [1, 2, 3], sum: 40, count: 6, exemplars: [] },
    ],
  },
];

const bodies: OtlpMetrics[] = [];
/** Of the collector's answers. */
let status = 200;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url === '/v1/metrics') {
      bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as OtlpMetrics);
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
});

beforeEach(async () => {
  bodies.length = 0;
  status = 200;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', `http://127.0.0.1:${port}/v1/metrics`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe('startMetricsExport', () => {
  const clock = systemClock;
  const unheard = { clock, watch: new ExportWatch(clock, silentLogger) };

  it('sends the same counts as a scrape gives, at the end at the latest', async () => {
    const settings = { protocol: 'http/json', intervalMs: 60_000 } as const;
    const source = { families: () => FAMILIES };
    const exported = await startMetricsExport('test-service', settings, [source], unheard);
    await exported.stop();
    const [sent] = bodies.flatMap(({ resourceMetrics }) => resourceMetrics);
    expect(sent?.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'test-service' },
    });
    const metrics = sent?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    const of = (name: string) => metrics.find((metric) => metric.name === name);
    expect(of('halfsight_test_read_total')).toMatchObject({
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ asDouble: 3, attributes: [{ key: 'task', value: { stringValue: 'a' } }] }],
      },
    });
    expect(of('halfsight_test_held_bytes')).toMatchObject({
      unit: 'By',
      gauge: { dataPoints: [{ asDouble: 7 }] },
    });
    expect(of('halfsight_test_work_seconds')).toMatchObject({
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{ count: 6, sum: 40, bucketCounts: [1, 2, 3], explicitBounds: [0.1, 1] }],
      },
    });
  });

  it('sends again and again', async () => {
    const settings = { protocol: 'http/json', intervalMs: 100 } as const;
    const source = { families: () => FAMILIES };
    const exported = await startMetricsExport('test-service', settings, [source], unheard);
    await vi.waitFor(() => expect(bodies.length).toBeGreaterThan(2), { timeout: 60_000 });
    await exported.stop();
  });

  it('counts exports that fail, and tells once that they do and that they do no more', async () => {
    status = 400;
    const said: string[] = [];
    const write = (line: string) => void said.push(JSON.parse(line).event);
    const watch = new ExportWatch(clock, createLogger({ level: 'info', format: 'json', write }));
    const settings = { protocol: 'http/json', intervalMs: 100 } as const;
    const exported = await startMetricsExport('test-service', settings, [watch], { clock, watch });
    await vi.waitFor(() => expect(watch.total('failed')).toBeGreaterThan(2), { timeout: 60_000 });
    expect(said).toEqual(['metrics-export-failed']);
    status = 200;
    await vi.waitFor(() => expect(said).toHaveLength(2), { timeout: 60_000 });
    await exported.stop();
    expect(said).toEqual(['metrics-export-failed', 'metrics-export-resumed']);
    const told = bodies.at(-1)?.resourceMetrics[0]?.scopeMetrics[0]?.metrics;
    expect(told).toMatchObject([
      {
        name: 'halfsight_metric_exports_failed_total',
        sum: { dataPoints: [{ asDouble: watch.total('failed') }] },
      },
    ]);
  });

  it('ends although the collector is away', async () => {
    vi.stubEnv('OTEL_EXPORTER_OTLP_METRICS_ENDPOINT', 'http://127.0.0.1:1/v1/metrics');
    const settings = { protocol: 'http/protobuf', intervalMs: 60_000 } as const;
    const exported = await startMetricsExport('test-service', settings, [], unheard);
    await expect(exported.stop()).resolves.toBeUndefined();
  });

  it('is nothing where no exporter is configured', async () => {
    const exported = await startMetricsExport('test-service', undefined, [], unheard);
    await exported.stop();
    expect(bodies).toEqual([]);
  });
});
