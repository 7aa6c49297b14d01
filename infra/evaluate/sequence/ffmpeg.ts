import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HalfsightError } from '#runtime/errors.ts';

export interface FfmpegOptions {
  /** Where relative paths begin. */
  readonly folder?: string;
  /** Written to its standard input, as fast as it reads. */
  readonly input?: Iterable<Uint8Array>;
  readonly onOutput?: (chunk: Uint8Array) => void;
  /** Of its log. */
  readonly onLine?: (line: string) => void;
}

/** Lines of a failed ffmpeg's log that its error repeats: the last ones say what it was. */
const LINES_KEPT = 3;

/**
 * One ffmpeg from its start to its end. Throws `program-missing`, or `codec-failed` with the end of
 * its log. Unlike a camera's source nothing is dropped: who calls can take all frames at once.
 */
export async function runFfmpeg(
  args: readonly string[],
  { folder, input = [], onOutput, onLine }: FfmpegOptions = {},
): Promise<void> {
  const child = spawn('ffmpeg', [...args], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  const last: string[] = [];
  child.stdout.on('data', (chunk: Uint8Array) => onOutput?.(chunk));
  createInterface({ input: child.stderr }).on('line', (line) => {
    onLine?.(line);
    last.push(line.trim());
    if (last.length > LINES_KEPT) last.shift();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => reject(startFailure(error)));
    child.on('close', resolve);
  });
  // One that fails closes its input early; what it says at its end is the better message.
  const fed = pipeline(Readable.from(input), child.stdin).catch(() => undefined);
  const [status] = await Promise.all([ended, fed]);
  if (status === 0) return;
  throw new HalfsightError('codec-failed', `ffmpeg ended with ${status}: ${last.join('; ')}.`);
}

function startFailure(error: NodeJS.ErrnoException): HalfsightError {
  if (error.code !== 'ENOENT') {
    return new HalfsightError('codec-failed', 'ffmpeg did not start.', { cause: error });
  }
  return new HalfsightError('program-missing', 'ffmpeg is not installed or not in PATH.', {
    advice: 'Install ffmpeg 5.1 or later, for example: apt-get install ffmpeg.',
    cause: error,
  });
}

/** Cuts a stream of bytes into pieces of one size: RGB24 pictures out of a pipe. */
export class PictureCutter {
  readonly pictures: Uint8Array[] = [];
  readonly #size: number;
  #partial: Uint8Array;
  #filled = 0;

  constructor(pictureBytes: number) {
    this.#size = pictureBytes;
    this.#partial = new Uint8Array(pictureBytes);
  }

  take(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + this.#size - this.#filled);
      this.#partial.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled < this.#size) continue;
      this.pictures.push(this.#partial);
      this.#partial = new Uint8Array(this.#size);
      this.#filled = 0;
    }
  }
}
