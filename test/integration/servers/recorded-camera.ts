import type { Frame, StateChange } from '#producers/camera/capture.ts';
import { captureCamera, wallClockEpochs } from '#producers/camera/capture.ts';
import type { InputGeometry } from '#producers/camera/image.ts';
import { createFfmpegSource } from '#producers/camera/sources/ffmpeg.ts';
import { systemClock } from '#runtime/clock.ts';
import { silentLogger } from '#runtime/log.ts';
import { seededRandom } from '#runtime/random.ts';

export const INPUT: InputGeometry = { width: 416, height: 416, fill: [127, 127, 127] };

/** A supervised camera with everything that it said, for tests to look at. */
export interface RecordedCamera {
  readonly frames: Frame[];
  readonly states: StateChange[];
  readonly ended: { epoch: number; captured: number }[];
  readonly done: Promise<void>;
  stop(): Promise<void>;
}

export interface RecordedOptions {
  readonly url: string;
  readonly loop?: boolean;
  readonly framesPerSecond?: number;
  readonly noFrameTimeoutMs?: number;
}

/** Retries quickly, so that a test of an outage takes seconds. */
export function recordCamera(options: RecordedOptions): RecordedCamera {
  const abort = new AbortController();
  const frames: Frame[] = [];
  const states: StateChange[] = [];
  const ended: { epoch: number; captured: number }[] = [];
  const source = createFfmpegSource(
    { kind: 'ffmpeg', url: options.url, loop: options.loop ?? false },
    {
      input: INPUT,
      framesPerSecond: options.framesPerSecond ?? 5,
      clock: systemClock,
      logger: silentLogger,
      ioTimeoutMs: 60_000,
      noFrameTimeoutMs: options.noFrameTimeoutMs ?? 20_000,
    },
  );
  const done = captureCamera(
    {
      cameraId: 'camera-1',
      source,
      epochNow: wallClockEpochs(systemClock),
      clock: systemClock,
      logger: silentLogger,
      random: seededRandom(1),
      hooks: {
        onFrame: (frame) => frames.push(frame),
        onState: (change) => states.push(change),
        onEpochEnd: (epoch, captured) => ended.push({ epoch, captured }),
      },
      retryDelayMsMin: 50,
      retryDelayMsMax: 400,
    },
    abort.signal,
  );
  const stop = async () => {
    abort.abort();
    await done;
  };
  return { frames, states, ended, done, stop };
}
