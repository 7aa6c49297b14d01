import type { Image, Source } from '#producers/camera/image.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Rectangle } from '#schemas/frame.ts';

export interface PictureSourceOptions {
  /** RGB24 at the size of the encoder's input; taken in turn. */
  readonly pictures: readonly Uint8Array[];
  readonly content: Rectangle;
  readonly framesPerSecond: number;
  /** Part of a period by which it begins later, 0 to 1: cameras do not all fire at one moment. */
  readonly phase: number;
  readonly clock: Clock;
  /** How long the copy took that a camera's reader would have made anew, and how late it came. */
  readonly onTaken: (copyUs: number, lateMs: number) => void;
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
  { pictures, content, framesPerSecond, phase, clock, onTaken }: PictureSourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  const periodMs = 1000 / framesPerSecond;
  const startMs = clock.monotonicMs() + phase * periodMs;
  for (let frame = 0; !signal.aborted; frame++) {
    const dueMs = startMs + frame * periodMs;
    await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    if (signal.aborted) return;
    const takenMs = clock.monotonicMs();
    const captureTimeUs = clock.nowUs();
    const pixels = (pictures[frame % pictures.length] as Uint8Array).slice();
    onTaken((clock.monotonicMs() - takenMs) * 1000, takenMs - dueMs);
    yield {
      pixels,
      captureTimeUs,
      timeSource: 'synthetic',
      sourceWidth: content.width,
      sourceHeight: content.height,
      content,
    };
    const due = Math.floor((clock.monotonicMs() - startMs) / periodMs);
    if (due > frame + 1) frame = due - 1;
  }
}
