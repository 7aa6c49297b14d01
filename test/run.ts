import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `npm test`: lint and format, types, then all tests; what is given after `npm test --` goes to
 * vitest. The last line is `N passed, N failed` and nothing else; lint and types count as one check
 * each, and so does a vitest that ends without a report.
 */
const ROOT = join(import.meta.dirname, '..');
const REPORT = join(ROOT, '.halfsight', 'test-report.json');

let stopped = false;

interface Counts {
  passed: number;
  failed: number;
}

/**
 * Signals are handed on: Ctrl-C reaches the child through the terminal, but nobody else would tell
 * it of a SIGTERM, and vitest would go on alone, with its brokers.
 */
async function runCheck(title: string, command: string, args: readonly string[]): Promise<boolean> {
  process.stdout.write(`\n# ${title}\n`);
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
  const handOn = (signal: NodeJS.Signals) => {
    stopped = true;
    if (signal !== 'SIGINT') child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handOn);
  const ok = await new Promise<boolean>((resolve) => {
    child.on('exit', (code) => resolve(code === 0));
    child.on('error', (error) => {
      process.stdout.write(`${command}: ${error.message}\n`);
      resolve(false);
    });
  });
  for (const signal of signals) process.off(signal, handOn);
  if (stopped) process.exit(1);
  return ok;
}

function readReport(): Counts & { readonly skipped: number } {
  try {
    const report = JSON.parse(readFileSync(REPORT, 'utf8'));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

const counts: Counts = { passed: 0, failed: 0 };
const count = (ok: boolean) => {
  if (ok) counts.passed++;
  else counts.failed++;
};

mkdirSync(join(ROOT, '.halfsight'), { recursive: true });
rmSync(REPORT, { force: true });
count(await runCheck('lint and format', 'biome', ['check', '--error-on-warnings']));
count(await runCheck('types', 'tsc', []));
const vitestArgs = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`];
const vitestOk = await runCheck('tests', 'vitest', [...vitestArgs, ...process.argv.slice(2)]);
const report = readReport();
counts.passed += report.passed;
counts.failed += report.failed;
// Something failed outside of any test: a file that cannot be loaded, an unhandled rejection.
if (!vitestOk && report.failed === 0) counts.failed++;
if (report.skipped > 0) process.stdout.write(`${report.skipped} skipped, see above for why\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
