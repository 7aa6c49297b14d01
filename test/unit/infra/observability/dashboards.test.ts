import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Panel } from '@grafana/schema';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { dashboardOf } from '#infra/observability/dashboards/dashboard.ts';
import { BOARDS, writtenFiles } from '#infra/observability/written-files.ts';
import { knownLabels, unknownNames } from './known-metrics.ts';
import { parsePromql } from './promql.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', '..', 'infra', 'observability');

it.each([...writtenFiles()])('%s is up to date (npm run observability)', (path, content) => {
  expect(readFileSync(join(FOLDER, path), 'utf8')).toBe(content);
});

describe.each(BOARDS.map((board) => [board.name, board] as const))('board %s', (_, board) => {
  const charts = board.sections.flatMap((section) => section.charts);

  it.each(charts.map((chart) => [chart.title, chart] as const))('%s: is told', (_title, chart) => {
    for (const [legend, query] of Object.entries(chart.queries)) {
      const expression = query.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
      const { metrics, labels, grouped } = parsePromql(expression);
      expect(metrics.length, expression).toBeGreaterThan(0);
      expect(unknownNames(metrics)).toEqual([]);
      const known = knownLabels(metrics);
      expect(labels.filter((label) => !known.has(label))).toEqual([]);
      const left = grouped === undefined ? known : new Set(grouped);
      const shown = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
      expect(
        shown.filter((label) => !left.has(label)),
        legend,
      ).toEqual([]);
    }
  });

  it('asks for the chosen processes only', () => {
    if (board.instancesOf === undefined) return;
    for (const chart of charts) {
      for (const query of Object.values(chart.queries)) {
        const { metrics } = parsePromql(query.replaceAll('$__rate_interval', '1m'));
        const choices = query.split('instance=~"$instance"').length - 1;
        expect(choices, query).toBe(metrics.length);
      }
    }
  });

  it('has its panels side by side, each with an id of its own', () => {
    const panels = (dashboardOf(board).panels ?? []) as Panel[];
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos }) => {
      const { x = 0, y = 0, w = 0, h = 0 } = gridPos ?? {};
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from(
        { length: w * h },
        (_cell, at) => `${x + (at % w)},${y + Math.floor(at / w)}`,
      );
    });
    expect(new Set(cells).size, 'no cell twice').toBe(cells.length);
  });
});

it('the scrape jobs are named as alerts and boards want them', () => {
  const { scrape_configs: jobs } = parse(readFileSync(join(FOLDER, 'prometheus.yaml'), 'utf8'));
  const names = jobs.map(({ job_name: name }: { readonly job_name: string }) => name);
  expect(names.every((name: string) => name.startsWith('halfsight-'))).toBe(true);
});
