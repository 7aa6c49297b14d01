import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CommandLine, FLAG, TEXT, TEXTS } from '#runtime/command-line.ts';
import { LIMITS } from '#runtime/limits.ts';

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
/** Whoever asks prints the usage too. */
const line = new CommandLine();

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
  const values = line.readOptions(args, {
    ...{ source: TEXTS, cameras: TEXT, fps: TEXT, duration: TEXT, bundle: TEXT },
    ...{ consumers: TEXT, 'no-wall': FLAG, help: FLAG },
  });
  if (values.help) return 'help';
  const sources = (values.source ?? []).map((source) => checkSource(source, folder));
  if (sources.length > 0 && values.cameras !== undefined) {
    throw line.wrong('--cameras is for synthetic cameras, so it does not go with --source.');
  }
  if (sources.length > LIMITS.camerasPerAgentMax) {
    throw line.wrong(`at most ${LIMITS.camerasPerAgentMax} sources are possible.`);
  }
  const { bundle, duration } = values;
  const seconds = line.number('--duration', duration, 1, 86_400 * 20);
  return {
    sources,
    cameraCount:
      line.whole('--cameras', values.cameras, 1, LIMITS.camerasPerAgentMax) ?? DEFAULT_CAMERAS,
    framesPerSecond: line.number('--fps', values.fps, 0.1, FPS_MAX) ?? DEFAULT_FPS,
    durationMs: seconds === undefined ? undefined : seconds * 1000,
    bundleDirectory: bundle === undefined ? undefined : resolve(folder, bundle),
    consumerCount: line.whole('--consumers', values.consumers, 1, CONSUMERS_MAX) ?? 1,
    hasWall: values['no-wall'] !== true,
  };
}

function checkSource(source: string, folder: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(source)?.[1]?.toLowerCase();
  if (scheme !== undefined) {
    if (['rtsp', 'rtsps', 'file', 'synthetic'].includes(scheme)) return source;
    throw line.wrong(`--source: ${scheme}: is no source; it must be a file or an rtsp:// address.`);
  }
  const path = resolve(folder, source);
  if (!existsSync(path)) throw line.wrong(`--source ${source}: there is no file ${path}.`);
  if (!statSync(path).isFile()) throw line.wrong(`--source ${source}: ${path} is no file.`);
  return path;
}
