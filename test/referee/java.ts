import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Guard } from '#infra/local/guard.ts';
import { kafkaCache } from '#infra/local/kafka-jars.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const run = promisify(execFile);

/**
 * Runs one of this folder's single-file Java programs on the jars of the local Kafka, and returns
 * what it printed and its exit code. They share no code with Halfsight.
 */
export async function runJava(
  program: 'Referee' | 'Reference',
  args: readonly string[],
): Promise<{ readonly output: string; readonly code: number }> {
  jarsFolder ??= findJars();
  const jars = await jarsFolder;
  try {
    const file = join(import.meta.dirname, `${program}.java`);
    const java = ['-cp', join(jars, 'lib', '*'), '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
    const { stdout } = await run('java', [...java, quiet, file, ...args], {
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    return { output: stdout, code: 0 };
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
    // An exit code other than 0 is an answer; anything else, that there was none.
    if (typeof code !== 'number' || !stdout) throw new Error(`${program}: ${stderr ?? error}`);
    return { output: stdout, code };
  }
}

/** Looked for once: whoever is the first may have to download them. */
let jarsFolder: Promise<string> | undefined;

async function findJars(): Promise<string> {
  const guard = new Guard(silentLogger);
  try {
    const cache = readEnvironment().cacheDirectory;
    return await kafkaCache(cache, { clock: systemClock, logger: silentLogger, guard });
  } finally {
    await guard.close();
  }
}

/** The verdict of Referee.java. */
export interface Verdict {
  readonly sound: boolean;
  readonly frames: number;
  /** Second copies on the frame topic, which the consumer leaves out. */
  readonly framesRepeated: number;
  readonly deadLetters: number;
  readonly topics: Readonly<Record<string, TopicVerdict>>;
}

export interface TopicVerdict {
  readonly records: number;
  /** With what was aborted or is still open. */
  readonly recordsOfReadUncommitted: number;
  readonly missing: number;
  readonly duplicated: number;
  readonly outOfOrder: number;
  readonly unexpected: number;
  readonly withoutIdentity: number;
  readonly missingExamples: readonly string[];
  readonly unexpectedExamples: readonly string[];
}

/** Exactly once, in order and nothing lost, as a reader sees it that shares no code with us. */
export async function judge(
  brokers: readonly string[],
  frames: string,
  deadLetters: string,
  results: readonly string[],
): Promise<Verdict> {
  const { output } = await runJava('Referee', [brokers.join(','), frames, deadLetters, ...results]);
  return JSON.parse(output) as Verdict;
}
