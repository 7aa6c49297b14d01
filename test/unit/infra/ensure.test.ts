import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  hashOfFolders,
  installAdvice,
  javaMajor,
  packagesAreFresh,
  pathOutside,
  programsNeeded,
} from '#infra/ensure.mjs';

const ENSURE = join(import.meta.dirname, '..', '..', '..', 'infra', 'ensure.mjs');

describe('programsNeeded', () => {
  it('start: no Java when a Kafka is named, no Redis when a Redis is named', () => {
    expect(programsNeeded('start', {})).toEqual(['java', 'mvn', 'redis-server', 'ffmpeg']);
    expect(programsNeeded('start', { KAFKA_BROKERS: 'b:9092' })).toEqual([
      'redis-server',
      'ffmpeg',
    ]);
    expect(programsNeeded('start', { REDIS_URL: 'redis://r' })).toEqual(['java', 'mvn', 'ffmpeg']);
  });

  it('test: everything, since tests kill servers and must own them', () => {
    const environment = { KAFKA_BROKERS: 'b:9092', REDIS_URL: 'redis://r' };
    const needed = [...programsNeeded('start', {}), 'chromium', 'prometheus'];
    expect(programsNeeded('test', environment)).toEqual(needed);
  });

  it('packages and the page of the wall: none', () => {
    expect(programsNeeded('packages', {})).toEqual([]);
    expect(programsNeeded('wall', {})).toEqual([]);
  });

  it('python and tools: Python, and nothing that only servers need', () => {
    expect(programsNeeded('python', {})).toEqual(['python3']);
    expect(programsNeeded('tools', {})).toEqual(['python3']);
  });
});

describe('hashOfFolders', () => {
  it('changes with what is in a file, its name and its place, and with nothing else', () => {
    const folder = mkdtempSync(join(tmpdir(), 'halfsight-ensure-'));
    mkdirSync(join(folder, 'inner'));
    const states = [
      () => writeFileSync(join(folder, 'a.ts'), 'one'),
      () => writeFileSync(join(folder, 'a.ts'), 'two'),
      () => renameSync(join(folder, 'a.ts'), join(folder, 'b.ts')),
      () => renameSync(join(folder, 'b.ts'), join(folder, 'inner', 'b.ts')),
    ];
    const hashes = states.map((change) => {
      change();
      return hashOfFolders([folder]);
    });
    expect(new Set(hashes).size).toBe(states.length);
    expect(hashOfFolders([folder])).toBe(hashes.at(-1));
  });
});

describe('javaMajor', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
    ['java version "1.8.0_402"', 8],
    ['openjdk version "21" 2023-09-19', 21],
    ['Error: could not find libjvm', undefined],
  ])('%s', (output, major) => {
    expect(javaMajor(output)).toBe(major);
  });
});

describe('packagesAreFresh', () => {
  const installed = { lockHash: 'a', stamp: 'a', lockTimeMs: 2, installedTimeMs: 1 };

  it('after an install from this lock file, whatever the times say', () => {
    expect(packagesAreFresh(installed)).toBe(true);
  });

  it('not without node_modules, or with ones that npm did not finish', () => {
    expect(packagesAreFresh({ ...installed, installedTimeMs: undefined })).toBe(false);
  });

  it('not when the lock file is another one', () => {
    expect(packagesAreFresh({ ...installed, stamp: 'b' })).toBe(false);
  });

  it('after npm was run by hand, unless the lock file is newer', () => {
    const byHand = { ...installed, stamp: undefined };
    expect(packagesAreFresh({ ...byHand, installedTimeMs: 3 })).toBe(true);
    expect(packagesAreFresh(byHand)).toBe(false);
  });
});

describe('installAdvice', () => {
  it('is what to type, where that is known', () => {
    expect(installAdvice(['redis-server', 'mvn'], { platform: 'linux', hasApt: true })).toBe(
      'Missing: redis-server, Maven. Type: sudo apt-get install -y redis-server maven',
    );
    expect(installAdvice(['java'], { platform: 'darwin', hasApt: false })).toBe(
      'Missing: Java 17 or newer. Type: brew install openjdk@21',
    );
    expect(installAdvice(['ffmpeg'], { platform: 'linux', hasApt: false })).toContain('ffmpeg');
  });
});

it('pathOutside drops the folders of the clone', () => {
  expect(pathOutside('/a/clone/node_modules/.bin:/usr/bin:/bin', '/a/clone')).toBe('/usr/bin:/bin');
});

describe('the script', () => {
  /** A folder to be the whole PATH; each program is the shell script given. */
  function fakePath(programs: Readonly<Record<string, string>>): string {
    const directory = mkdtempSync(join(tmpdir(), 'halfsight-ensure-'));
    chmodSync(directory, 0o777);
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    return directory;
  }

  const forTests = { chromium: '', prometheus: '' };
  const java17 = `echo 'openjdk version "17.0.1"' >&2`;

  function ensure(path: string, uid?: number) {
    return spawnSync(process.execPath, [ENSURE, 'test'], {
      env: { PATH: path, KAFKA_BROKERS: 'b:9092' },
      encoding: 'utf8',
      ...(uid === undefined ? {} : { uid }),
    });
  }

  it('says nothing when nothing is missing', () => {
    // Where the page of the wall was changed since, it is built first.
    spawnSync(process.execPath, [ENSURE, 'wall']);
    const run = ensure(
      fakePath({ java: java17, mvn: '', 'redis-server': '', ffmpeg: '', ...forTests }),
    );
    expect(run).toMatchObject({ status: 0, stdout: '', stderr: '' });
  });

  it('without apt-get: one line, exit code 1', () => {
    const run = ensure(fakePath({ java: java17, mvn: '', ffmpeg: '', ...forTests }));
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^Missing: redis-server\. .*\n$/);
  });

  it('a Java that is too old counts as missing', () => {
    const old = `echo 'openjdk version "11.0.1"' >&2`;
    const run = ensure(
      fakePath({ java: old, mvn: '', 'redis-server': '', ffmpeg: '', ...forTests }),
    );
    expect(run.stderr).toContain('Java 17 or newer');
  });

  it.skipIf(process.getuid?.() !== 0)('as root on Debian: installs, and says so', () => {
    const log = join(mkdtempSync(join(tmpdir(), 'halfsight-ensure-')), 'apt.log');
    const path = fakePath({ java: java17, mvn: '', ffmpeg: '', ...forTests });
    // What apt-get would do: the program appears on PATH.
    const brings = `case "$*" in *--simulate*) ;; *' install '*) : > ${path}/redis-server;; esac`;
    writeFileSync(join(path, 'apt-get'), `#!/bin/sh\necho "$@" >> ${log}\n${brings}\n`);
    chmodSync(join(path, 'apt-get'), 0o755);
    const run = ensure(path);
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toMatch(/^installing redis-server with apt-get .*\n$/);
  });

  it.skipIf(process.getuid?.() !== 0)('not as root on Debian: what to type', () => {
    const path = fakePath({
      java: java17,
      mvn: '',
      ffmpeg: '',
      ...forTests,
      'apt-get': 'exit 9',
    });
    const nobody = 65534;
    const run = ensure(path, nobody);
    expect(run.status).toBe(1);
    expect(run.stderr).toBe('Missing: redis-server. Type: sudo apt-get install -y redis-server\n');
  });

  it('runs through a linked path, as npm may call it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'halfsight-ensure-'));
    const link = join(directory, 'linked');
    mkdirSync(directory, { recursive: true });
    symlinkSync(join(ENSURE, '..'), link);
    const run = spawnSync(process.execPath, [join(link, 'ensure.mjs')], { encoding: 'utf8' });
    expect(run.stderr).toMatch(/^usage: /);
    expect(run.status).toBe(1);
  });
});
