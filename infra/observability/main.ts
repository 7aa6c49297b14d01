import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writtenFiles } from './written-files.ts';

/** `npm run observability`: writes metrics.md and Grafana's dashboards anew. */
for (const [path, content] of writtenFiles()) {
  writeFileSync(join(import.meta.dirname, path), content);
  process.stdout.write(`${path}\n`);
}
