import type { Image, InputGeometry, Source } from '#producers/camera/image.ts';
import type { Clock } from '#runtime/clock.ts';

export interface PictureSourceOptions {
  /** RGB24 at the size of the encoder's input; taken in turn. */
  readonly pictures: readonly Uint8Array[];
  readonly input: InputGeometry;
  readonly framesPerSecond: number;
  /** Part of a period by which it begins later, 0 to 1: cameras do not all fire at one moment. */
  readonly phase: number;
  readonly clock: Clock;
  /** How late it came. */
  readonly onTaken: (lateMs: number) => void;
}

/**
 * A camera that costs next to nothing: pictures that were drawn before, copied, because an encoder
 * thread takes the memory of what it is given. Like every source it skips what it is too late for.
 */
export function pictureSource(options: PictureSourceOptions): Source {
  return {
    kind: 'synthetic',
    description: `${options.pictures.length} pictures`,
    isFinite: false,
    open: (signal) => images(options, signal),
  };
}

async function* images(
  { pictures, input, framesPerSecond, phase, clock, onTaken }: PictureSourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  const { width, height } = input;
  const periodMs = 1000 / framesPerSecond;
  const startMs = clock.monotonicMs() + phase * periodMs;
  for (let frame = 0; !signal.aborted; frame++) {
    const dueMs = startMs + frame * periodMs;
    await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    if (signal.aborted) return;
    onTaken(clock.monotonicMs() - dueMs);
    yield {
      pixels: (pictures[frame % pictures.length] as Uint8Array).slice(),
      captureTimeUs: clock.nowUs(),
      timeSource: 'synthetic',
      sourceWidth: width,
      sourceHeight: height,
      content: { x: 0, y: 0, width, height },
    };
    const due = Math.floor((clock.monotonicMs() - startMs) / periodMs);
    if (due > frame + 1) frame = due - 1;
  }
}
