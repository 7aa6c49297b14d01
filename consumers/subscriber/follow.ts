import { CommandLine, FLAG, TEXT, TEXTS } from '#runtime/command-line.ts';
import { frameId, isCameraId } from '#schemas/frame.ts';
import { type Result, TASKS, type Task } from '#schemas/result.ts';
import { ageText, itemise } from './result-text.ts';

export const FOLLOW_USAGE = `Usage: npm run follow -- TASK [options]

Shows the results of a task as they come. TASK is ${TASKS.join(', ')}.

  --camera ID             only this camera; may be repeated
  --json                  one JSON object a line, with everything that the result holds
  --backfill              results of backfills (npm run backfill) instead of live ones
  --from earliest|latest  earliest: begin with the oldest result kept; default latest
  --duration SECONDS      stop after so long; default: until Ctrl-C
  --help
`;

const line = new CommandLine(
  `Tasks are: ${TASKS.join(', ')}. For example: npm run follow -- detection`,
);

export interface FollowArguments {
  readonly task: Task;
  /** Undefined: all. */
  readonly cameras: readonly string[] | undefined;
  readonly json: boolean;
  /** Whether results of backfills are shown, instead of live ones. */
  readonly backfill: boolean;
  readonly from: 'earliest' | 'latest';
  readonly durationMs: number | undefined;
}

/** Throws `usage-invalid`. */
export function readFollowArguments(args: readonly string[]): FollowArguments | 'help' {
  const options = { camera: TEXTS, json: FLAG, backfill: FLAG, from: TEXT, duration: TEXT };
  const { values, positionals } = line.read(args, { ...options, help: FLAG });
  if (values.help) return 'help';
  const [name, ...others] = positionals;
  if (name === undefined) throw line.wrong('no task is named.');
  const task = TASKS.find((known) => known === name);
  if (task === undefined) throw line.wrong(`there is no task "${name}".`);
  if (others.length > 0) {
    throw line.wrong(`one task at a time, so "${others.join(' ')}" is too much.`);
  }
  for (const camera of values.camera ?? []) {
    if (!isCameraId(camera)) throw line.wrong(`"${camera}" can be no camera's id.`);
  }
  const seconds = values.duration === undefined ? undefined : Number(values.duration);
  if (seconds !== undefined && !(seconds > 0 && seconds <= 86_400 * 20)) {
    throw line.wrong(`--duration must be a number of seconds, but is "${values.duration}".`);
  }
  return {
    task,
    cameras: values.camera,
    json: values.json ?? false,
    backfill: values.backfill ?? false,
    from: line.oneOf('--from', values.from, ['earliest', 'latest']) ?? 'latest',
    durationMs: seconds === undefined ? undefined : seconds * 1000,
  };
}

/**
 * `12:03:04.512 gate  detection  2 person 0.91 0.84, car 0.77  age 143 ms`, with the local time of
 * capture.
 */
export function formatLine(result: Result, receivedTimeUs: number, timeZone?: string): string {
  const time = timeOfDay(result.captureTimeUs, timeZone);
  const age = ageText((receivedTimeUs - result.captureTimeUs) / 1000);
  return `${time} ${result.cameraId}  ${result.task}  ${itemise(result)}  age ${age}\n`;
}

/** The whole result, and its frame id, on one line. */
export function formatJson(result: Result, receivedTimeUs: number): string {
  return `${JSON.stringify({ frameId: frameId(result), ...result, receivedTimeUs })}\n`;
}

function timeOfDay(timeUs: number, timeZone: string | undefined): string {
  const date = new Date(timeUs / 1000);
  const clock = date.toLocaleTimeString('en-GB', {
    hour12: false,
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  return `${clock}.${String(date.getUTCMilliseconds()).padStart(3, '0')}`;
}
