import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  CHART,
  GOLDEN,
  goldenText,
  type KubernetesObject,
  readValues,
  render,
  valuesNames,
  WITHOUT_HELM,
} from '#test/helm/chart.ts';

const OBSERVABILITY = join(import.meta.dirname, '..', '..', '..', 'infra', 'observability');

describe('golden/', () => {
  it('has a file for each of values/, and no other', () => {
    const wanted = valuesNames().map((name) => `${name}.yaml`);
    expect(readdirSync(GOLDEN).sort()).toEqual(wanted.sort());
  });
});

describe('what the chart takes from infra/observability', () => {
  it('is the same file: alerts and dashboards are there once', () => {
    const read = (...path: string[]) => readFileSync(join(...path), 'utf8');
    expect(read(CHART, 'files', 'alerts.yaml')).toBe(read(OBSERVABILITY, 'alerts.yaml'));
    const boards = readdirSync(join(OBSERVABILITY, 'grafana', 'dashboards'));
    expect(readdirSync(join(CHART, 'files', 'dashboards'))).toEqual(boards);
    expect(boards.length).toBeGreaterThan(0);
  });
});

describe.skipIf(WITHOUT_HELM !== undefined)(
  WITHOUT_HELM === undefined ? 'the chart' : `the chart (skipped: ${WITHOUT_HELM})`,
  () => {
    it.each(valuesNames())('makes of values/%s.yaml what is in golden/', (name) => {
      const made = goldenText(render(readValues(name)));
      const advice = 'npm run chart writes golden/ anew';
      expect(made, advice).toBe(readFileSync(join(GOLDEN, `${name}.yaml`), 'utf8'));
    });

    it('puts alerts and dashboards into the cluster as they are', () => {
      const objects = render(readValues('everything'));
      const rule = objects.find(({ kind }) => kind === 'PrometheusRule') as KubernetesObject;
      const alerts = parse(readFileSync(join(OBSERVABILITY, 'alerts.yaml'), 'utf8')) as object;
      expect(rule.spec).toEqual(alerts);
      const folder = join(OBSERVABILITY, 'grafana', 'dashboards');
      const made = objects
        .filter(({ metadata }) => metadata.labels?.grafana_dashboard !== undefined)
        .flatMap(({ data }) => Object.entries(data as Readonly<Record<string, string>>));
      expect(made.map(([name]) => name.replace('halfsight-', '')).sort()).toEqual(
        readdirSync(folder).sort(),
      );
      for (const [name, text] of made) {
        const file = readFileSync(join(folder, name.replace('halfsight-', '')), 'utf8');
        expect(JSON.parse(text)).toEqual(JSON.parse(file));
      }
    });
  },
);
