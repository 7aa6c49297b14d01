import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { Guard } from '#infra/local/guard.ts';
import { kafkaCache } from '#infra/local/kafka-jars.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { readEnvironment } from '#runtime/settings.ts';

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const PROGRAMS = ['Referee', 'Reference'] as const;
const SMALL_JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const run = promisify(execFile);

/**
 * Runs one of this folder's single-file Java programs on the jars of the local Kafka, and returns
 * what it printed and its exit code. They share no code with Halfsight.
 */
export async function runJava(
  program: (typeof PROGRAMS)[number],
  args: readonly string[],
): Promise<{ readonly output: string; readonly code: number }> {
  classPath ??= compile();
  const java = ['-cp', await classPath, ...SMALL_JVM];
  try {
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';
    const { stdout } = await run('java', [...java, quiet, program, ...args], {
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

/** Made once: to compile a program takes several times as long as to run it. */
let classPath: Promise<string> | undefined;

async function compile(): Promise<string> {
  const library = join(await findJars(), 'lib');
  const jars = readdirSync(library).map((jar) => join(library, jar));
  const classes = mkdtempSync(join(tmpdir(), 'halfsight-java-'));
  process.once('exit', () => rmSync(classes, { recursive: true, force: true }));
  // By its module, since a JRE has no javac on the PATH.
  const compiler = ['-m', 'jdk.compiler/com.sun.tools.javac.Main', '-d', classes];
  const files = PROGRAMS.map((program) => join(import.meta.dirname, `${program}.java`));
  await run('java', [...SMALL_JVM, ...compiler, '-cp', jars.join(delimiter), ...files]);
  return [classes, ...jars].join(delimiter);
}

/** Whoever is the first may have to download them. */
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
