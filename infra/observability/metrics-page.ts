import type { ProcessMetrics } from './tables.ts';

const HEAD = `# Metrics

What the processes of Halfsight tell Prometheus at \`/metrics\` of \`HALFSIGHT_HEALTH_LISTEN\`, and
OpenTelemetry collectors. This page is written by \`npm run observability\` from the tables by which
they count. Counts begin with the process. A histogram \`X\` has the series \`X_bucket\`, \`X_sum\`
and \`X_count\`.
`;

/** metrics.md. */
export function metricsPage(processes: readonly ProcessMetrics[]): string {
  const sections = processes.map(({ title, metrics }) => {
    const rows = metrics.map(({ name, type, labels, help }) => {
      const shown = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${shown} | ${help.replaceAll('|', '\\|')} |`;
    });
    return [`## ${title}`, '', '| name | type | labels | meaning |', '|---|---|---|---|', ...rows];
  });
  return `${[HEAD.trimEnd(), ...sections.map((lines) => lines.join('\n'))].join('\n\n')}\n`;
}
