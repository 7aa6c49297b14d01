import { BatchSize } from '#producers/camera/batch-size.ts';
import { LinkMonitor } from '#producers/camera/rate/link-monitor.ts';
import type { RateBounds } from '#producers/camera/rate/profile.ts';
import { RateControl } from '#producers/camera/rate/rate-control.ts';
import { LIMITS } from '#runtime/limits.ts';
import { createLogger, type Logger } from '#runtime/log.ts';
import type { Random } from '#runtime/random.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';

/** Those of halfsight-lite0. */
export const POINTS = [
  { name: 'fine', typicalBytes: 5_157 },
  { name: 'standard', typicalBytes: 3_327 },
  { name: 'small', typicalBytes: 2_099 },
  { name: 'tiny', typicalBytes: 1_273 },
];
const AROUND_BYTES = 220;
/** What Kafka and TCP add, as `npm run bench -- link` measures it. */
const WIRE_BYTES = { request: 250, record: 60 };

export interface Line {
  readonly bytesPerSecond: number;
  readonly roundTripMs: number;
  /** What passes at once after as long a rest, as a token bucket on the way lets it. */
  readonly burstBytes?: number;
}

export interface Published {
  readonly cameraId: string;
  readonly capturedMs: number;
  readonly endMs: number;
  readonly bytes: number;
}

/** A clock whose time and one timer are moved by hand, all in one turn: an hour takes no time. */
class StepClock extends ManualClock {
  nowMs = 0;
  #everyMs = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #action = () => {};

  override monotonicMs(): number {
    return this.nowMs;
  }

  override every(ms: number, action: () => void) {
    [this.#everyMs, this.#dueMs, this.#action] = [ms, this.nowMs + ms, action];
    return () => {};
  }

  tick(): void {
    if (this.nowMs < this.#dueMs) return;
    this.#dueMs += this.#everyMs;
    this.#action();
  }
}

interface Waiting {
  readonly cameraId: string;
  readonly capturedMs: number;
  readonly bytes: number;
}

interface SimulatedCamera {
  readonly id: string;
  readonly framesPerSecond: number;
  nextMs: number;
}

/** Cameras, rate control, a publisher with one send under way, and a line that a test sets. */
export class SimulatedLink {
  line: Line;
  /** How much larger than typical the scene's frames are. */
  scene = 1;
  /** Share of the bytes by which frames differ from one another. */
  noise = 0;
  /** Nothing is answered meanwhile. */
  isAway = false;
  readonly published: Published[] = [];
  readonly control: RateControl;
  readonly clock = new StepClock();
  readonly #link: LinkMonitor;
  readonly #batchSize = new BatchSize();
  readonly #random: Random;
  readonly #cameras: SimulatedCamera[] = [];
  #pending: Waiting[] = [];
  #sent: Waiting[] = [];
  #sendFromMs = 0;
  #sendEndMs = Number.POSITIVE_INFINITY;
  #burst = { bytes: Number.POSITIVE_INFINITY, atMs: 0 };
  #log = '';

  constructor(line: Line, random: Random) {
    this.line = line;
    this.#random = random;
    const { clock } = this;
    const logger: Logger = createLogger({
      ...{ level: 'info', format: 'json' },
      write: (text: string) => {
        this.#log += text;
      },
    });
    this.#link = new LinkMonitor({ clock });
    this.control = new RateControl({
      ...{ points: POINTS, link: this.#link, lag: undefined, clock, logger },
      waitingBytes: () => bytesOf([...this.#pending, ...this.#sent]),
    });
    this.control.start();
  }

  get log(): string {
    return this.#log;
  }

  get allowed(): number {
    return this.#link.allowed;
  }

  add(id: string, bounds: RateBounds): void {
    this.control.put(id, bounds);
    const { framesPerSecondMax: framesPerSecond } = bounds;
    const nextMs = this.clock.nowMs + this.#random.integer(1000 / framesPerSecond);
    this.#cameras.push({ id, framesPerSecond, nextMs });
  }

  run(seconds: number): void {
    const endMs = this.clock.nowMs + seconds * 1_000;
    while (this.clock.nowMs < endMs) {
      const answerMs = this.isAway ? Number.POSITIVE_INFINITY : this.#sendEndMs;
      const nextMs = Math.min(endMs, answerMs, ...this.#cameras.map((one) => one.nextMs));
      // Looks fall between: no event is later than the next of them.
      this.clock.nowMs = Math.min(nextMs, this.clock.nowMs + 100);
      this.clock.tick();
      for (const camera of this.#cameras) this.#capture(camera);
      if (this.clock.nowMs >= answerMs) this.#acknowledge();
      if (this.#sent.length === 0 && this.#pending.length > 0) this.#send();
    }
  }

  changes(id: string): number {
    return this.control.report(id)?.changes ?? 0;
  }

  /** Seconds from capture to acknowledgement, of what was acknowledged since. */
  ages(sinceMs: number): number[] {
    return this.published
      .filter(({ endMs }) => endMs >= sinceMs)
      .map(({ capturedMs, endMs }) => (endMs - capturedMs) / 1_000);
  }

  #capture(camera: SimulatedCamera): void {
    const { nowMs } = this.clock;
    if (camera.nextMs > nowMs) return;
    camera.nextMs += 1000 / camera.framesPerSecond;
    if (!this.control.admits(camera.id)) return;
    const ratePoint = this.control.ratePoints.get(camera.id) ?? 0;
    const spread = 1 + this.noise * (2 * this.#random.next() - 1);
    const typical = POINTS[ratePoint]?.typicalBytes ?? 0;
    const bitstream = new Uint8Array(Math.round(typical * this.scene * spread));
    const bytes = bitstream.length + AROUND_BYTES;
    const identity = { cameraId: camera.id, epoch: 0, sequence: 0 };
    this.control.encoded({ identity, ratePoint }, { bitstream }, bytes);
    this.#pending.push({ cameraId: camera.id, capturedMs: nowMs, bytes });
  }

  #send(): void {
    let bytes = 0;
    const fits = this.#pending.findIndex((one, index) => {
      bytes += one.bytes;
      return index > 0 && bytes > this.#batchSize.bytes;
    });
    this.#sent = this.#pending.splice(0, fits === -1 ? this.#pending.length : fits);
    const wire = bytesOf(this.#sent) + WIRE_BYTES.request + this.#sent.length * WIRE_BYTES.record;
    const slow = wire - this.#takeBurst(wire);
    this.#sendFromMs = this.clock.nowMs;
    const { bytesPerSecond, roundTripMs } = this.line;
    this.#sendEndMs = this.clock.nowMs + roundTripMs + (slow * 1000) / bytesPerSecond;
  }

  /** What of `bytes` passes at once. */
  #takeBurst(bytes: number): number {
    const { bytesPerSecond, burstBytes = 0 } = this.line;
    const { nowMs } = this.clock;
    const gathered = ((nowMs - this.#burst.atMs) * bytesPerSecond) / 1000;
    const ready = Math.min(burstBytes, this.#burst.bytes + gathered);
    // What goes slowly uses up what gathers meanwhile.
    const taken = Math.min(ready, bytes);
    const atMs = nowMs + ((bytes - taken) * 1000) / bytesPerSecond;
    this.#burst = { bytes: ready - taken, atMs };
    return taken;
  }

  #acknowledge(): void {
    const { nowMs: endMs } = this.clock;
    const tookMs = endMs - this.#sendFromMs;
    this.#batchSize.acknowledged(bytesOf(this.#sent), tookMs);
    this.#link.acknowledged(bytesOf(this.#sent), tookMs);
    this.published.push(...this.#sent.map((one) => ({ ...one, endMs })));
    this.#sent = [];
    this.#sendEndMs = Number.POSITIVE_INFINITY;
  }
}

export function bounds(changes: Partial<RateBounds> = {}): RateBounds {
  return {
    ...{ finest: 1, coarsest: 3, framesPerSecondMax: 5, framesPerSecondMin: 1 },
    ...{ bytesPerSecondMax: Number.POSITIVE_INFINITY, adaptive: true },
    bytesPerFrameMax: LIMITS.bitstreamBytesMaxDefault,
    ...changes,
  };
}

function bytesOf(records: readonly { readonly bytes: number }[]): number {
  return records.reduce((sum, { bytes }) => sum + bytes, 0);
}
