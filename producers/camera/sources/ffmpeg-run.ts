import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Cancel, Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { InputGeometry } from '../image.ts';
import type { StreamSize } from './ffmpeg-messages.ts';
import { failureOf, parseFfmpegLine } from './ffmpeg-messages.ts';
import { redactCredentials, redactorFor } from './redact.ts';

export interface FfmpegRunOptions {
  readonly url: string;
  readonly arguments: readonly string[];
  /** Whether the end of the stream is its proper end, and no failure. */
  readonly isEndExpected: boolean;
  readonly input: InputGeometry;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly program?: string;
  readonly noFrameTimeoutMs?: number;
}

export interface RawFrame {
  readonly pixels: Uint8Array;
  /** When its last byte arrived. */
  readonly arrivalTimeUs: number;
  readonly size: StreamSize;
}

type Arrival = Omit<RawFrame, 'size'>;

const COMPLAINTS_KEPT = 4;
/** Sizes that were told before their pixels came: ffmpeg is ahead of its pipe by a few frames. */
const SIZES_AHEAD_MAX = 64;

/**
 * One ffmpeg from its start to its end. Pixels come through its standard output and the size of the
 * picture behind each frame through its standard error; the two are paired in order.
 *
 * Its standard output is always read, whether or not anybody takes the frames: a pipe that filled
 * up would make ffmpeg stop reading the network, and the camera would drift into the past. If this
 * process dies, ffmpeg fails to write to the pipe, and ends too.
 */
export class FfmpegRun {
  readonly #options: FfmpegRunOptions;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #redact: (text: string) => string;
  #partial: Uint8Array;
  #filled = 0;
  #arrivals: Arrival[] = [];
  #sizes: StreamSize[] = [];
  /** Sizes yet to come whose frames were already given up. */
  #sizesOwed = 0;
  #frames: RawFrame[] = [];
  #wake: () => void = () => undefined;
  #isOver = false;
  #isStopping = false;
  #failure: HalfsightError | undefined;
  #complaints: string[] = [];
  #complaintCount = 0;
  #complainedMs = Number.NEGATIVE_INFINITY;
  #cancelWatchdog: Cancel = () => undefined;

  constructor(options: FfmpegRunOptions) {
    this.#options = options;
    this.#redact = redactorFor(options.url);
    this.#partial = new Uint8Array(this.#frameBytes);
    this.#child = spawn(options.program ?? 'ffmpeg', [...options.arguments], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Uint8Array) => this.#take(chunk));
    const lines = this.#child.stderr && createInterface({ input: this.#child.stderr });
    lines?.on('line', (line) => this.#read(line));
    this.#exited = this.#settle();
    this.#watch();
  }

  /** The next frame, or undefined when the stream has come to its proper end or was stopped. */
  async next(): Promise<RawFrame | undefined> {
    for (;;) {
      if (this.#isStopping) return undefined;
      if (this.#failure?.code === 'source-stalled') throw this.#failure;
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Wakes whoever waits for a frame, and asks ffmpeg to take leave of the camera. */
  stop(): void {
    this.#isStopping = true;
    this.#frames = [];
    this.#child.kill('SIGTERM');
    this.#wake();
  }

  /** Resolves when ffmpeg is gone. */
  async close(): Promise<void> {
    this.stop();
    const cancel = this.#options.clock.after(LIMITS.sourceStopTimeoutMs, () => {
      this.#child.kill('SIGKILL');
    });
    await this.#exited;
    cancel();
  }

  get #frameBytes(): number {
    return this.#options.input.width * this.#options.input.height * 3;
  }

  #take(chunk: Uint8Array): void {
    let from = 0;
    while (from < chunk.length) {
      const part = chunk.subarray(from, from + this.#frameBytes - this.#filled);
      this.#partial.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled < this.#frameBytes) continue;
      this.#arrivals.push({
        pixels: this.#partial,
        arrivalTimeUs: this.#options.clock.nowUs(),
      });
      this.#partial = new Uint8Array(this.#frameBytes);
      this.#filled = 0;
      this.#pair();
    }
  }

  #read(line: string): void {
    const message = parseFfmpegLine(line);
    if (message.kind === 'size') {
      if (this.#sizesOwed > 0) {
        this.#sizesOwed -= 1;
        return;
      }
      this.#sizes.push(message.size);
      // Only an ffmpeg that counts otherwise than it writes could get so far ahead of itself.
      if (this.#sizes.length > SIZES_AHEAD_MAX) this.#sizes.shift();
      this.#pair();
    } else if (message.kind === 'complaint') {
      this.#complain(this.#redact(message.text));
    }
  }

  #pair(): void {
    while (this.#arrivals.length > 0 && this.#sizes.length > 0) {
      const arrival = this.#arrivals.shift();
      const size = this.#sizes.shift();
      if (arrival === undefined || size === undefined) return;
      this.#frames.push({ ...arrival, size });
      this.#watch();
    }
    const { framesWaitingPerSourceMax } = LIMITS;
    while (this.#arrivals.length > framesWaitingPerSourceMax) {
      this.#arrivals.shift();
      this.#sizesOwed += 1;
    }
    while (this.#frames.length > framesWaitingPerSourceMax) this.#frames.shift();
    this.#wake();
  }

  #watch(): void {
    this.#cancelWatchdog();
    if (this.#isOver) return;
    const ms = this.#options.noFrameTimeoutMs ?? LIMITS.sourceNoFrameTimeoutMs;
    this.#cancelWatchdog = this.#options.clock.after(ms, () => {
      const name = redactCredentials(this.#options.url);
      this.#failure ??= new HalfsightError('source-stalled', `No frame of ${name} for ${ms} ms.`);
      // One that hangs in a read does not always listen to SIGTERM.
      this.#child.kill('SIGKILL');
      this.#wake();
    });
  }

  #complain(text: string): void {
    const { clock, logger } = this.#options;
    this.#complaints = [...this.#complaints, text].slice(-COMPLAINTS_KEPT);
    this.#complaintCount += 1;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#complainedMs < LIMITS.sourceComplaintIntervalMs) return;
    this.#complainedMs = nowMs;
    logger.debug('ffmpeg-complains', { count: this.#complaintCount, last: text });
    this.#complaintCount = 0;
  }

  /** Waits for the end of the program and of both pipes, and finds out how it ended. */
  async #settle(): Promise<void> {
    try {
      const [status, signal] = await once(this.#child, 'close');
      this.#failure ??= this.#verdict(status, signal);
    } catch (error) {
      this.#failure = spawnFailure(error);
    }
    this.#isOver = true;
    this.#cancelWatchdog();
    this.#wake();
  }

  #verdict(status: number | null, signal: string | null): HalfsightError | undefined {
    if (this.#isStopping) return undefined;
    const name = redactCredentials(this.#options.url);
    if (status !== 0) {
      const how = signal === null ? `it ended with status ${status}` : `it was ended by ${signal}`;
      return failureOf(name, how, this.#complaints);
    }
    if (this.#options.isEndExpected) return undefined;
    return new HalfsightError('source-ended', `${name} ended.`);
  }
}

function spawnFailure(error: unknown): HalfsightError {
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  if (!isMissing)
    return new HalfsightError('source-failed', 'ffmpeg did not start.', { cause: error });
  return new HalfsightError('program-missing', 'ffmpeg is not installed or not in PATH.', {
    advice: 'Install ffmpeg 5.1 or later, for example: apt-get install ffmpeg.',
    cause: error,
  });
}
