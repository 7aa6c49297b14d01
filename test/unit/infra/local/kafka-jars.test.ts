import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Guard } from '#infra/local/guard.ts';
import { kafkaCache, kafkaCacheName } from '#infra/local/kafka-jars.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';

/** A Maven that makes one jar, or says why not; each call leaves a line in calls.log. */
let cache: string;
let programs: string;
let guard: Guard;
const originalPath = process.env.PATH ?? '';

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'halfsight-cache-'));
  programs = mkdtempSync(join(tmpdir(), 'halfsight-maven-'));
  guard = new Guard(silentLogger);
  process.env.PATH = `${programs}:${originalPath}`;
});

afterEach(async () => {
  process.env.PATH = originalPath;
  await guard.close();
});

function fakeMaven(script: string): void {
  const findOut =
    'for a; do case "$a" in -DoutputDirectory=*) out=$(echo "$a" | cut -d= -f2);; esac; done';
  const file = join(programs, 'mvn');
  writeFileSync(file, `#!/bin/sh\necho call >> ${programs}/calls.log\n${findOut}\n${script}\n`);
  chmodSync(file, 0o755);
}

const calls = () => readFileSync(join(programs, 'calls.log'), 'utf8').trim().split('\n').length;
const fetchJars = () => kafkaCache(cache, { clock: systemClock, logger: silentLogger, guard });
const GOOD = 'mkdir -p "$out"; sleep 0.2; : > "$out/kafka_2.13-4.4.0.jar"';

describe('kafkaCache', () => {
  it('downloads once, also when several start at once', async () => {
    fakeMaven(GOOD);
    const directories = await Promise.all([fetchJars(), fetchJars(), fetchJars()]);
    expect(new Set(directories).size).toBe(1);
    expect(readdirSync(join(directories[0], 'lib'))).toEqual(['kafka_2.13-4.4.0.jar']);
    await fetchJars();
    expect(calls()).toBe(1);
    expect(readdirSync(cache)).toHaveLength(1);
  });

  it('a Maven that fails: its last words, and nothing half-filled', async () => {
    fakeMaven('mkdir -p "$out"; echo repository unreachable; exit 1');
    await expect(fetchJars()).rejects.toMatchObject({
      code: 'stack-failed',
      advice: expect.stringContaining('repository unreachable'),
    });
    expect(readdirSync(cache)).toEqual([]);
    fakeMaven(GOOD);
    await fetchJars();
  });

  it('a Maven that brings no Kafka has failed', async () => {
    fakeMaven('mkdir -p "$out"; : > "$out/other.jar"');
    await expect(fetchJars()).rejects.toThrow('no Kafka');
    expect(readdirSync(cache)).toEqual([]);
  });

  it('no Maven at all: says how to get it', async () => {
    process.env.PATH = programs;
    await expect(fetchJars()).rejects.toMatchObject({
      code: 'program-missing',
      advice: expect.stringContaining('infra/ensure.mjs'),
    });
    expect(readdirSync(cache)).toEqual([]);
  });

  it('what a killed download left is thrown away', async () => {
    fakeMaven(GOOD);
    const pom = readFileSync(join(import.meta.dirname, '../../../../infra/local/pom.xml'), 'utf8');
    const left = join(cache, `${kafkaCacheName(pom)}.filling`, 'lib');
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, 'half.jar'), '');
    const directory = await fetchJars();
    expect(readdirSync(join(directory, 'lib'))).toEqual(['kafka_2.13-4.4.0.jar']);
  });
});
