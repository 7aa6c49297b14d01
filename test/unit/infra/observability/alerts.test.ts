import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { COMMANDS } from '#infra/command/commands.ts';
import { defined } from '#runtime/assert.ts';
import { type AlertScenario, SCENARIOS } from './alert-scenarios.ts';
import { knownLabels, unknownNames } from './known-metrics.ts';
import { parsePromql } from './promql.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');
const FOLDER = join(ROOT, 'infra', 'observability');
const ALERTS = join(FOLDER, 'alerts.yaml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const RULES: readonly Rule[] = parse(readFileSync(ALERTS, 'utf8')).groups.flatMap(
  ({ rules }: { readonly rules: readonly Rule[] }) => rules,
);

function promtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

describe('rules', () => {
  it('are taken by Prometheus, as is the configuration that names them', () => {
    const checked = promtool('check', 'config', join(FOLDER, 'prometheus.yaml'));
    expect(checked.status, checked.output).toBe(0);
    expect(checked.output).toContain(`SUCCESS: ${RULES.length} rules found`);
  });

  it.each(RULES.map((rule) => [rule.alert, rule] as const))(
    '%s is about what is told',
    (_, rule) => {
      const { metrics, labels } = parsePromql(rule.expr);
      expect(unknownNames(metrics)).toEqual([]);
      const known = knownLabels(metrics);
      expect(labels.filter((label) => !known.has(label))).toEqual([]);
      for (const text of Object.values(rule.annotations)) {
        const used = [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label);
        expect(used.filter((label) => !known.has(label))).toEqual([]);
      }
    },
  );

  it.each(RULES.map((rule) => [rule.alert, rule] as const))('%s says what to do', (_, rule) => {
    expect(rule.alert).toMatch(/^Halfsight[A-Z]/);
    expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
    expect(Object.keys(rule.annotations)).toEqual(['summary', 'runbook']);
    const { runbook = '' } = rule.annotations;
    expect(runbook.length).toBeGreaterThan(60);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const [, name = ''] of runbook.matchAll(/npm run ([\w-]+)/g)) {
      expect(scripts).toHaveProperty([name]);
    }
    for (const [, name = ''] of runbook.matchAll(/npx halfsight ([\w-]+)/g)) {
      expect(COMMANDS.map((command) => command.name)).toContain(name);
    }
  });
});

describe('each alert fires by its fault, and is over by its repair', () => {
  it('as promtool sees it', () => {
    expect(SCENARIOS.map(({ alert }) => alert)).toEqual(RULES.map(({ alert }) => alert));
    const run = play(SCENARIOS);
    expect(run.status, run.output).toBe(0);
  });

  it('and not without it', () => {
    const [scenario] = SCENARIOS;
    const healed = {
      ...defined(scenario, 'a scenario'),
      series: { 'up{job="halfsight-x"}': '1x60' },
    };
    expect(play([healed]).status).not.toBe(0);
  });
});

/**
 * Rules are looked at between scrapes as well, where Prometheus extrapolates: one event more in a
 * counter is an increase of a little more than one.
 */
function play(scenarios: readonly AlertScenario[]) {
  const file = join(mkdtempSync(join(tmpdir(), 'halfsight-alerts-')), 'scenarios.yaml');
  const tests = scenarios.map(promtoolTest);
  writeFileSync(file, stringify({ rule_files: [ALERTS], evaluation_interval: '5s', tests }));
  return promtool('test', 'rules', file);
}

function promtoolTest(scenario: AlertScenario) {
  const { alert: alertname, labels, summary, series } = scenario;
  const rule = defined(
    RULES.find(({ alert }) => alert === alertname),
    alertname,
  );
  const runbook = defined(rule.annotations.runbook, 'its runbook').replace(
    /\{\{ \$labels\.(\w+) \}\}/g,
    (_, label: string) => labels[label] ?? '',
  );
  const firing = {
    exp_labels: { ...rule.labels, ...labels },
    exp_annotations: { summary, runbook },
  };
  return {
    interval: '10s',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      { alertname, eval_time: scenario.quietAt, exp_alerts: [] },
      { alertname, eval_time: scenario.firesAt, exp_alerts: [firing] },
      { alertname, eval_time: scenario.overAt, exp_alerts: [] },
    ],
  };
}
