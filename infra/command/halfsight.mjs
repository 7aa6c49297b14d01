#!/usr/bin/env node
/**
 * `npx halfsight ...`: hands over to main.ts on Node 24, which the npm packages bring.
 *
 * Plain JavaScript, with nothing but Node's own modules, because `npx` starts it on whatever Node
 * the machine has, also in a clone that has no packages yet.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = dirname(dirname(HERE));
const NODE = join(ROOT, 'node_modules', '.bin', 'node');
/** The first that runs TypeScript as this project writes it. */
const NODE_MAJOR_MIN = 24;

if (!existsSync(NODE)) {
  const ensure = relative(process.cwd(), join(ROOT, 'infra', 'ensure.mjs'));
  process.stderr.write(
    `program-missing: the npm packages are not installed. Type: node ${ensure} packages\n`,
  );
  process.exitCode = 2;
} else if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR_MIN) {
  await import('./main.ts');
} else {
  runOn(NODE);
}

/** The terminal tells the child of Ctrl-C itself; it drains, and we end as it ends. */
function runOn(node) {
  const child = spawn(node, [join(HERE, 'main.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + constants.signals[signal]);
  });
}
