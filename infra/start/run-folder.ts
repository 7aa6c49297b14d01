import { appendFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createLogger, type Logger } from '#runtime/log.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const STATE = join(ROOT, '.halfsight');
const LOGS = join(STATE, 'logs');
const RUNS_KEPT = 10;

/** Everything that one `npm start` writes down, in a folder of its own. */
export interface RunFolder {
  readonly path: string;
  /** For people: relative to the root of the repository. */
  readonly shownPath: string;
  file(name: string): string;
  /** Writes to start.log; what concerns the person at the terminal is also said. */
  readonly logger: Logger;
}

/** Makes a folder for this run and deletes those of long ago. */
export function openRunFolder(startedUs: number, say: (line: string) => void): RunFolder {
  mkdirSync(LOGS, { recursive: true });
  const old = readdirSync(LOGS)
    .sort()
    .slice(0, -RUNS_KEPT + 1);
  for (const name of old) rmSync(join(LOGS, name), { recursive: true, force: true });
  const time = new Date(startedUs / 1000).toISOString().slice(0, 19).replaceAll(':', '');
  const path = join(LOGS, `${time}-${process.pid}`);
  mkdirSync(path, { recursive: true });
  const file = (name: string) => join(path, name);
  const logger = createLogger({
    level: 'info',
    format: 'json',
    write: (line) => {
      appendFileSync(file('start.log'), line);
      const text = tellOf(JSON.parse(line));
      if (text !== undefined) say(text);
    },
  });
  return { path, shownPath: relative(ROOT, path), file, logger };
}

/** The events of infra/local that a waiting person wants to hear of. */
export function tellOf(entry: Readonly<Record<string, unknown>>): string | undefined {
  const { event, process: name, error } = entry;
  switch (event) {
    case 'kafka-jars-downloading':
      return 'Downloading Kafka through Maven: once, about a minute on a usual line ...';
    case 'kafka-jars-waiting':
      return 'Waiting for another process that downloads Kafka ...';
    case 'process-up':
      return `${name} answers.`;
    case 'process-died':
      return `${name} died; it is started again.`;
    case 'process-restart-failed':
      return `${name} could not be started again: ${error}`;
    case 'process-given-up':
      return `${name} died too often and is given up.`;
    default:
      return undefined;
  }
}
