import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { numberOptions } from '../number-options.ts';

const FPS_MAX = LIMITS.framesPerSecondMax;

export const START_USAGE = `Usage: npm start -- [options]

Runs everything on this machine: Kafka and Redis (unless KAFKA_BROKERS and REDIS_URL name them),
a camera agent, an inference consumer, a page that shows what they see, and a live table of it.
Ctrl-C ends it, lets every frame come to its end, and shows that all of them are accounted for.

  --source FILE|URL   a video file (played in a loop) or rtsp://..., instead of the synthetic
                      cameras; may be repeated
  --cameras N         synthetic cameras; default 4
  --fps N             frames each camera takes per second, 0.1 to ${FPS_MAX}; default 2
  --duration SECONDS  end by itself, so long after the first result
  --bundle FOLDER     the bundle; default HALFSIGHT_BUNDLE or the one that comes with Halfsight
  --consumers N       inference consumers; default 1
  --no-wall           no page: the live table only
  --help
`;

/** With four cameras of it, two cores have time to spare: encoding and three heads on the CPU. */
const DEFAULT_FPS = 2;
const DEFAULT_CAMERAS = 4;
const CONSUMERS_MAX = 32;
const { number, whole } = numberOptions(wrong);

export interface StartArguments {
  /** Files as absolute paths, and URLs as they are; empty: synthetic cameras. */
  readonly sources: readonly string[];
  /** Synthetic ones. */
  readonly cameraCount: number;
  readonly framesPerSecond: number;
  readonly durationMs: number | undefined;
  /** Undefined: what the environment says. */
  readonly bundleDirectory: string | undefined;
  readonly consumerCount: number;
  readonly hasWall: boolean;
}

/** Throws `usage-invalid`, also for files that are not there: before anything is started. */
export function readStartArguments(
  args: readonly string[],
  folder: string,
): StartArguments | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const sources = (values.source ?? []).map((source) => checkSource(source, folder));
  if (sources.length > 0 && values.cameras !== undefined) {
    throw wrong('--cameras is for synthetic cameras, so it does not go with --source.');
  }
  if (sources.length > LIMITS.camerasPerAgentMax) {
    throw wrong(`at most ${LIMITS.camerasPerAgentMax} sources are possible.`);
  }
  const { bundle, duration } = values;
  const seconds = number('--duration', duration, 1, 86_400 * 20);
  return {
    sources,
    cameraCount:
      whole('--cameras', values.cameras, 1, LIMITS.camerasPerAgentMax) ?? DEFAULT_CAMERAS,
    framesPerSecond: number('--fps', values.fps, 0.1, FPS_MAX) ?? DEFAULT_FPS,
    durationMs: seconds === undefined ? undefined : seconds * 1000,
    bundleDirectory: bundle === undefined ? undefined : resolve(folder, bundle),
    consumerCount: whole('--consumers', values.consumers, 1, CONSUMERS_MAX) ?? 1,
    hasWall: values['no-wall'] !== true,
  };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const options = {
    source: { type: 'string', multiple: true },
    cameras: text,
    fps: text,
    duration: text,
    bundle: text,
    consumers: text,
    'no-wall': { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw wrong(`${(error as Error).message}.`);
  }
}

function checkSource(source: string, folder: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(source)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    if (['rtsp', 'rtsps', 'file', 'synthetic'].includes(scheme)) return source;
    throw wrong(`--source: ${scheme}: is no source; it must be a file or an rtsp:// address.`);
  }
  const path = resolve(folder, source);
  if (!existsSync(path)) throw wrong(`--source ${source}: there is no file ${path}.`);
  if (!statSync(path).isFile()) throw wrong(`--source ${source}: ${path} is no file.`);
  return path;
}

function wrong(message: string): HalfsightError {
  return new HalfsightError('usage-invalid', message);
}
