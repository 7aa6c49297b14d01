import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Guard } from './guard.ts';
import { takeLock } from './owner-lock.ts';
import { runProgram } from './program.ts';

const POM = join(import.meta.dirname, 'pom.xml');

interface JarDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly guard: Guard;
}

/** The cache folder of the jars that pom.xml names; another pom is another folder. */
export function kafkaCacheName(pom: string): string {
  return `kafka-${createHash('sha256').update(pom).digest('hex').slice(0, 16)}`;
}

/**
 * The folder with Kafka's jars in `lib/`, filled through Maven when it is not there. It appears by
 * renaming a finished one, so that it is whole or absent, whoever is killed when; of several
 * processes that start at once, one downloads and the others wait.
 */
export async function kafkaCache(cache: string, dependencies: JarDependencies): Promise<string> {
  const name = kafkaCacheName(await readFile(POM, 'utf8'));
  const directory = join(cache, name);
  if (existsSync(directory)) return directory;
  await mkdir(cache, { recursive: true });
  const lockPath = join(cache, `${name}.lock`);
  let waiting = false;
  for (;;) {
    const lock = await takeLock(lockPath);
    if (lock.taken) {
      try {
        if (!existsSync(directory)) await fill(cache, name, dependencies);
        return directory;
      } finally {
        await lock.release();
      }
    }
    if (!waiting) dependencies.logger.info('kafka-jars-waiting', { ownerPid: lock.ownerPid });
    waiting = true;
    await dependencies.clock.sleep(200);
  }
}

async function fill(cache: string, name: string, dependencies: JarDependencies): Promise<void> {
  const draft = join(cache, `${name}.filling`);
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  dependencies.logger.info('kafka-jars-downloading', { from: 'Maven', to: join(cache, name) });
  const startMs = dependencies.clock.monotonicMs();
  try {
    await runProgram(
      'mvn',
      [
        ...['-q', '-B', '-f', POM, 'dependency:copy-dependencies'],
        ...['-DincludeScope=runtime', `-DoutputDirectory=${join(draft, 'lib')}`],
      ],
      {
        directory: draft,
        timeoutMs: LIMITS.jarsDownloadTimeoutMs,
        advice:
          'Kafka could not be downloaded: Maven must reach a repository (~/.m2/settings.xml ' +
          'names mirrors), or set KAFKA_BROKERS to use a Kafka that runs already.',
        ...dependencies,
      },
    );
    const jars = await readdir(join(draft, 'lib'));
    if (!jars.some((jar) => jar.startsWith('kafka_'))) {
      throw new HalfsightError('stack-failed', `Maven copied no Kafka among ${jars.length} jars.`);
    }
    await rename(draft, join(cache, name));
    const tookMs = Math.round(dependencies.clock.monotonicMs() - startMs);
    dependencies.logger.info('kafka-jars-downloaded', { jars: jars.length, tookMs });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
