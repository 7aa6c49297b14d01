import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/**
 * Brings the real CompressAI to this machine, for the python3 that is on PATH, into
 * `.halfsight/compressai/`. Nothing of it is in the repository: its licence is BSD-3-Clause-Clear,
 * which grants no patent rights. Whatever is missing here (Python, pip, a wheel for this Python, a
 * compiler, the network) is a reason to hand back, not an error: who asks decides what it means.
 *
 * Everything is made in a `partial-` folder and renamed when it works, so an interrupted run leaves
 * nothing that looks ready, and of two runs at once the first to finish wins.
 */
export const COMPRESSAI_VERSION = '1.2.8';
/**
 * Headers only. The wheel was built with this one or one before it, as the version of pybind11's
 * internals in it says; later ones convert Python's lists more slowly.
 */
const PYBIND11_VERSION = '2.11.1';
/** What CompressAI's own setup.py and Python's build tools compile it with. */
const COMPILER_OPTIONS = ['-O3', '-DNDEBUG', '-std=c++17', '-fPIC', '-fvisibility=hidden'];

const CACHE = join(import.meta.dirname, '..', '..', '.halfsight', 'compressai');
const NATIVE_SOURCE = join(import.meta.dirname, 'native.cpp');
const DOWNLOAD_TIMEOUT_MS = 300_000;
const PARTIAL_AGE_MS_MAX = 3_600_000;

/** A Python that finds what was prepared when its PYTHONPATH is `path`. */
export interface PythonPackages {
  readonly python: string;
  readonly path: string;
}

export interface Unavailable {
  readonly reason: string;
}

/**
 * The coder of the published wheel: `compressai.ans` and `compressai._CXX`, without the rest of the
 * package, which would load PyTorch (some gigabytes).
 */
export function prepareOracle(): PythonPackages | Unavailable {
  return orReason(() => {
    const { executable, abi } = findPython();
    const path = join(CACHE, `${COMPRESSAI_VERSION}-${abi}`);
    const check = 'from compressai import ans, _CXX';
    makeOnce(path, (partial) => {
      const unpacked = join(partial, 'unpacked');
      pip(executable, [
        ...['install', '--only-binary', ':all:', '--target', unpacked],
        `compressai==${COMPRESSAI_VERSION}`,
      ]);
      const product = join(partial, 'product');
      mkdirSync(join(product, 'compressai'), { recursive: true });
      writeFileSync(join(product, 'compressai', '__init__.py'), '');
      for (const file of readdirSync(join(unpacked, 'compressai'))) {
        if (!/^(ans|_CXX)\..*(so|pyd)$/.test(file)) continue;
        renameSync(join(unpacked, 'compressai', file), join(product, 'compressai', file));
      }
      run('the modules of the wheel', executable, ['-c', check], { PYTHONPATH: product });
      return product;
    });
    return { python: executable, path };
  });
}

/** The same C++, compiled here from the published source into a module with native.cpp's loop. */
export function prepareNative(): PythonPackages | Unavailable {
  return orReason(() => {
    const { executable, abi, include } = findPython();
    const recipe = [readFileSync(NATIVE_SOURCE), PYBIND11_VERSION, ...COMPILER_OPTIONS];
    const hash = recipe.reduce((sum, part) => sum.update(part), createHash('sha256')).digest('hex');
    const path = join(CACHE, `${COMPRESSAI_VERSION}-${abi}-native-${hash.slice(0, 8)}`);
    makeOnce(path, (partial) => {
      run('the C++ compiler', 'g++', ['--version']);
      const downloaded = join(partial, 'downloaded');
      pip(executable, [
        ...['download', '--no-binary', 'compressai', '--dest', downloaded],
        `compressai==${COMPRESSAI_VERSION}`,
      ]);
      const archive = join(downloaded, readdirSync(downloaded)[0] ?? '');
      run('the source archive', executable, ['-m', 'tarfile', '-e', archive, partial]);
      const headers = join(partial, 'headers');
      pip(executable, ['install', '--target', headers, `pybind11==${PYBIND11_VERSION}`]);
      const source = join(partial, `compressai-${COMPRESSAI_VERSION}`);
      const product = join(partial, 'product');
      mkdirSync(product);
      const folders = [
        join(source, 'compressai', 'cpp_exts', 'rans'),
        join(source, 'third_party', 'ryg_rans'),
        join(headers, 'pybind11', 'include'),
        include,
      ];
      run('compiling native.cpp', 'g++', [
        ...COMPILER_OPTIONS,
        ...['-shared', '-o', join(product, 'native_loop.so'), NATIVE_SOURCE],
        ...folders.map((folder) => `-I${folder}`),
      ]);
      const check = ['-c', 'import native_loop'];
      run('the compiled module', executable, check, { PYTHONPATH: product });
      return product;
    });
    return { python: executable, path };
  });
}

/** Something that this machine does not have; the message says what. */
class Missing extends Error {}

function orReason(prepare: () => PythonPackages): PythonPackages | Unavailable {
  try {
    return prepare();
  } catch (error) {
    // File system errors (a full or read-only disk) have a code; mistakes of ours have none.
    const isExpected = error instanceof Missing || (error as NodeJS.ErrnoException).code;
    if (!isExpected) throw error;
    return { reason: (error as Error).message };
  }
}

interface Python {
  readonly executable: string;
  /** Names interpreter, version and platform: what a compiled module fits. */
  readonly abi: string;
  readonly include: string;
}

function findPython(): Python {
  const program = [
    'import json, sys, sysconfig',
    'abi, include = sysconfig.get_config_var("SOABI"), sysconfig.get_path("include")',
    'print(json.dumps({"executable": sys.executable, "abi": abi, "include": include}))',
  ].join('\n');
  return JSON.parse(run('python3', 'python3', ['-c', program])) as Python;
}

function makeOnce(path: string, make: (partial: string) => string): void {
  mkdirSync(CACHE, { recursive: true });
  removeForgotten();
  if (existsSync(path)) return;
  process.stderr.write(`preparing CompressAI ${COMPRESSAI_VERSION} in ${path} (once) ...\n`);
  const partial = mkdtempSync(join(CACHE, 'partial-'));
  try {
    const product = make(partial);
    if (!existsSync(path)) renameSync(product, path);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** What runs that were killed left behind. */
function removeForgotten(): void {
  for (const name of readdirSync(CACHE)) {
    if (!name.startsWith('partial-')) continue;
    const changedMs = statSync(join(CACHE, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const isOld = Date.now() - changedMs > PARTIAL_AGE_MS_MAX;
    if (isOld) rmSync(join(CACHE, name), { recursive: true, force: true });
  }
}

function pip(python: string, args: readonly string[]): void {
  const [command = '', ...rest] = args;
  const options = ['--quiet', '--no-input', '--disable-pip-version-check', '--retries', '2'];
  run(`pip ${command}`, python, ['-m', 'pip', command, ...options, '--no-deps', ...rest]);
}

function run(
  what: string,
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): string {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...variables },
    timeout: DOWNLOAD_TIMEOUT_MS,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error !== undefined) throw new Missing(`${what}: ${error.message}`);
  if (status === 0) return stdout;
  const lines = stderr.trim().split('\n');
  // A compiler's first error is the one; pip ends with what it means.
  const first = lines.find((line) => line.includes(' error: '));
  const complaint = first ?? lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? '';
  throw new Missing(`${what} ended with ${signal ?? status}: ${complaint.trim()}`);
}
