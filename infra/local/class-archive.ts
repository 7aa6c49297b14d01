import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Logger } from '#runtime/log.ts';

const run = promisify(execFile);

/**
 * The JVM's archive of Kafka's loaded classes (class data sharing): with it a broker starts in half
 * the processor time. The first broker that runs without one writes it when it stops, which takes
 * that stop some seconds longer, once; it then holds what a real run loads. Nothing depends on it:
 * a JVM that cannot use an archive ignores it.
 */
export interface ClassArchive {
  /** JVM options for any Kafka program: use the archive, if there is one. */
  readonly use: readonly string[];
  /** JVM options for the one broker that writes the archive; undefined when there is one. */
  readonly write: readonly string[] | undefined;
  /** To be called when that broker has stopped. */
  keep(): Promise<void>;
}

/** `draft` is where the writing JVM puts the archive; it need not be on the cache's file system. */
export async function classArchive(
  kafka: string,
  draft: string,
  logger: Logger,
): Promise<ClassArchive> {
  // An archive belongs to the very build of the JVM that wrote it.
  const version = await run('java', ['-version']).catch(() => undefined);
  const key = createHash('sha256').update(version?.stderr ?? '');
  const archive = join(kafka, `classes-${key.digest('hex').slice(0, 16)}.jsa`);
  if (existsSync(archive)) {
    return { use: [`-XX:SharedArchiveFile=${archive}`], write: undefined, keep: async () => {} };
  }
  await rm(draft, { force: true });
  return {
    use: [],
    // The classes that cannot be archived are many and of no interest.
    write: [`-XX:ArchiveClassesAtExit=${draft}`, '-Xlog:cds=error'],
    keep: async () => {
      // Absent when the broker was killed rather than stopped.
      if (!existsSync(draft)) return;
      const copy = `${archive}.${process.pid}`;
      try {
        await copyFile(draft, copy);
        await rename(copy, archive);
        logger.info('kafka-class-archive-written', { file: archive });
      } catch (error) {
        logger.debug('kafka-class-archive-lost', { error: String(error) });
      } finally {
        await rm(copy, { force: true });
        await rm(draft, { force: true });
      }
    },
  };
}
