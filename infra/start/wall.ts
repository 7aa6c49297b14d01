import { defined } from '#runtime/assert.ts';
import { childVariables, type Environment } from '#runtime/settings.ts';
import type { ListenAddress } from '#runtime/variable-reader.ts';
import { type Addresses, textOf, urlOf } from './addresses.ts';
import { Child, type ChildOptions } from './child.ts';

/** More traces than this nobody looks at, and each costs a little at every step. */
const TRACES_PER_SECOND = 10;
/** Spans are to be there when somebody opens the frame that was just shown. */
const SPANS_DELAY_MS = 1_000;

/** What children need so that the wall has their spans; nothing where a place is named already. */
export function spansToWall(
  wall: ListenAddress | undefined,
  { namesTelemetry }: Pick<Environment, 'namesTelemetry'>,
) {
  if (wall === undefined || namesTelemetry) return {};
  // One that listens everywhere is here as well.
  const host = ['0.0.0.0', '::'].includes(wall.host) ? '127.0.0.1' : wall.host;
  return {
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${urlOf({ ...wall, host })}/v1/traces`,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: String(SPANS_DELAY_MS),
  };
}

/** Of all frames that are traced. Whoever has named a place for spans wants them all. */
export function sampleRatio(
  framesPerSecond: number,
  { namesTelemetry }: Pick<Environment, 'namesTelemetry'>,
): number {
  return namesTelemetry ? 1 : Math.min(1, TRACES_PER_SECOND / framesPerSecond);
}

export interface WallChildOptions extends Pick<ChildOptions, 'clock' | 'say' | 'logFile'> {
  readonly addresses: Addresses;
  readonly environment: Environment;
  readonly bundleDirectory: string;
}

/**
 * The wall as a child process. It is there before Kafka, which it finds by itself, and a run goes
 * on without it: it only looks.
 */
export function wallChild(options: WallChildOptions): Child {
  const { addresses, environment, bundleDirectory, clock, say, logFile } = options;
  return new Child({
    name: 'wall',
    module: 'consumers/dashboard/main.ts',
    args: [],
    ...{ clock, say, logFile },
    onEnded: () => say('The wall has ended.'),
    onFailed: (error) => say(`There is no wall: ${error.message}`),
    onUnable: () => addresses.moveWall(),
    variables: () => {
      const wall = defined(addresses.wall, 'an address for the wall');
      return childVariables({
        HALFSIGHT_WALL_LISTEN: textOf(wall),
        HALFSIGHT_HEALTH_LISTEN: addresses.health.wall,
        HALFSIGHT_BUNDLE: bundleDirectory,
        HALFSIGHT_LOG_FORMAT: 'json',
        ...spansToWall(wall, environment),
      });
    },
  });
}
