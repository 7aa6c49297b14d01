import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';

/**
 * `npm test`: lint and format, types, and all tests; what is given after `npm test --` goes to
 * vitest. The last line is `N passed, N failed` and nothing else; lint and types count as one check
 * each (those of the wall's page apart: it knows a browser), and so does a vitest that ends without
 * a report.
 *
 * Some tests compute for minutes, those on real servers mostly wait: so all projects run beside one
 * another, and what computes takes the time that is left by what waits. Lint and types do as well:
 * they take less time than a machine without Kafka's jars needs to download them. Those in the
 * background say everything at their end.
 */
const ROOT = join(import.meta.dirname, '..');
const REPORTS = join(ROOT, '.halfsight');
/** Tests start hundreds of processes, which take half as long from compiled code. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(REPORTS, 'compile-cache') };

let stopped = false;

interface Counts {
  passed: number;
  failed: number;
}

/** A run that says everything at its end, with a niceness as Unix knows it. */
interface Background {
  readonly niceness: number;
}

interface Report extends Counts {
  readonly skipped: number;
}

/**
 * Signals are handed on: Ctrl-C reaches the child through the terminal, but nobody else would tell
 * it of a SIGTERM, and vitest would go on alone, with its brokers.
 */
async function runCheck(
  title: string,
  command: string,
  args: readonly string[],
  background?: Background,
): Promise<boolean> {
  if (background === undefined) process.stdout.write(`\n# ${title}\n`);
  const stdio = background === undefined ? ('inherit' as const) : ('pipe' as const);
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['inherit', stdio, stdio] });
  const output = background === undefined ? [] : collect(child, background);
  const handOn = (signal: NodeJS.Signals) => {
    stopped = true;
    if (signal !== 'SIGINT') child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handOn);
  const ok = await new Promise<boolean>((resolve) => {
    child.on('close', (code) => resolve(code === 0));
    child.on('error', (error) => {
      process.stdout.write(`${command}: ${error.message}\n`);
      resolve(false);
    });
  });
  for (const signal of signals) process.off(signal, handOn);
  if (background !== undefined) process.stdout.write(`\n# ${title}\n${output.join('')}`);
  if (stopped) process.exit(1);
  return ok;
}

/** What it says, for later; it gets out of the way of the others as far as it is nice. */
function collect(child: ChildProcess, { niceness }: Background): string[] {
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => output.push(data.toString()));
  }
  if (child.pid !== undefined) setPriority(child.pid, niceness);
  return output;
}

/** One run of vitest, over some of its projects. */
async function runVitest(
  title: string,
  projects: readonly string[],
  background?: Background,
): Promise<Report> {
  const file = join(REPORTS, `test-report-${projects.join('-')}.json`);
  rmSync(file, { force: true });
  const args = [
    ...['run', '--passWithNoTests', '--reporter=default', '--reporter=json'],
    `--outputFile.json=${file}`,
    ...projects.flatMap((project) => ['--project', project]),
    ...process.argv.slice(2),
  ];
  const ok = await runCheck(title, 'vitest', args, background);
  const report = readReport(file);
  // Something failed outside of any test: a file that cannot be loaded, an unhandled rejection.
  return !ok && report.failed === 0 ? { ...report, failed: 1 } : report;
}

function readReport(file: string): Report {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
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

async function checkSource(): Promise<void> {
  const background = { niceness: 0 };
  count(await runCheck('lint and format', 'biome', ['check', '--error-on-warnings'], background));
  count(await runCheck('types', 'tsc', [], background));
  const wall = ['-p', 'consumers/dashboard/page'];
  count(await runCheck('types of the wall', 'tsc', wall, background));
}

mkdirSync(REPORTS, { recursive: true });
const sourceChecked = checkSource();
const reports = await Promise.all([
  runVitest('tests on shared servers', ['integration']),
  runVitest('tests with servers of their own', ['servers'], { niceness: 0 }),
  runVitest('tests without servers', ['unit'], { niceness: 5 }),
  runVitest('tests of the Python programs', ['python'], { niceness: 10 }),
]);
await sourceChecked;
let skipped = 0;
for (const report of reports) {
  counts.passed += report.passed;
  counts.failed += report.failed;
  skipped += report.skipped;
}
if (skipped > 0) process.stdout.write(`${skipped} skipped, see above for why\n`);
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
process.exitCode = counts.failed === 0 ? 0 : 1;
