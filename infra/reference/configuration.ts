import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '#runtime/settings.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/** Files that are settings, each with all that it may hold. */
const FILES = [
  {
    title: "A camera agent's file",
    start: 'Named by `--config`. This one is complete; what is commented out is the default.',
    path: 'producers/camera/camera-agent.example.yaml',
  },
  {
    title: 'The file of webhooks',
    start: 'Named by `HALFSIGHT_WEBHOOKS`.',
    path: 'consumers/webhooks/webhooks.example.yaml',
  },
] as const;

/** Everything that can be set, as a page. */
export function configurationPage(): string {
  const rows = Object.entries(VARIABLES).map(([name, meaning]) => {
    return `| \`${name}\` | ${meaning.replaceAll('|', '\\|')} |`;
  });
  const files = FILES.flatMap(({ title, start, path }) => [
    ...[`## ${title}`, '', start, '', '```yaml'],
    readFileSync(join(ROOT, path), 'utf8').trimEnd(),
    ...['```', ''],
  ]);
  return [
    '# Configuration',
    '',
    'Written by `npm run --silent configuration`; a test compares.',
    '',
    '## Environment',
    '',
    'Of every process. An empty variable is one that is not set. Where there is a variable and one',
    'with `_FILE` at its end, set one of them, better the latter. `OTEL_*` are read by the',
    'OpenTelemetry SDK.',
    '',
    '| variable | meaning |',
    '|---|---|',
    ...rows,
    '',
    ...files,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}
