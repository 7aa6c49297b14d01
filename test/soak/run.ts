import { defined } from '#runtime/assert.ts';
import type { Producer } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { frameId } from '#schemas/frame.ts';
import { TASKS } from '#schemas/result.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { startTopicStack } from '#test/fixtures/topic-stack.ts';
import { judge, type Verdict } from '#test/referee/java.ts';
import { type TinyFrames, tinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { type Holding, holdingOf, slopeAnHour } from './process-watch.ts';

export interface SoakOptions {
  readonly minutes: number;
  readonly framesPerSecond: number;
  readonly cameraCount: number;
}

export interface SoakReport extends SoakOptions {
  readonly verdict: Verdict;
  readonly camerasSeen: number;
  /** Growth an hour of the consumer and of its engine process. */
  readonly slopes: Readonly<Record<string, number>>;
  readonly first: Readonly<Record<string, Holding>>;
  readonly last: Readonly<Record<string, Holding>>;
  readonly isSteady: boolean;
}

const PREFIX = 'soak';
const ROUND_MS = 100;
const SAMPLE_MS = 5_000;
const QUIET_MS = 20_000;
/** Growth an hour beyond which something leaks; a collector's own swing is some MiB. */
const SLOPES_MAX = { memoryMiB: 20, files: 1, connections: 1 } as const;

export async function runSoak(
  options: SoakOptions,
  say: (line: string) => void,
): Promise<SoakReport> {
  const table = { prefix: PREFIX, partitionCount: 4 };
  const { stack, topics, broker, stop } = await startTopicStack(table, { redis: false });
  const consumer = spawnInference(stack.brokers, PREFIX);
  try {
    const fleet = new Fleet(await tinyFrames(), topics.frames.name, options.cameraCount);
    const producer = await broker.openProducer();
    const holdings: Record<string, Holding[]> = { consumer: [], engine: [] };
    const startMs = systemClock.monotonicMs();
    const minutesNow = () => (systemClock.monotonicMs() - startMs) / 60_000;
    const sample = () => {
      const minutes = minutesNow();
      const enginePid = defined(consumer.enginePid(), 'the engine process');
      holdings.consumer?.push(holdingOf(consumer.pid, minutes));
      holdings.engine?.push(holdingOf(enginePid, minutes));
      const [now, engine] = [holdings.consumer?.at(-1), holdings.engine?.at(-1)];
      say(
        `${minutes.toFixed(1)} min: ${fleet.written} frames; consumer ` +
          `${now?.memoryMiB.toFixed(0)} MiB, ${now?.files} files, ${now?.connections} ` +
          `connections; engine ${engine?.memoryMiB.toFixed(0)} MiB`,
      );
    };
    // The consumer and its engine have to be there before they are looked at.
    while (!consumer.output().includes('consumer-started')) await systemClock.sleep(50);
    const cancel = systemClock.every(SAMPLE_MS, sample);
    while (minutesNow() < options.minutes) {
      // By the clock and not by rounds: a write takes time as well.
      const due = Math.floor(minutesNow() * 60 * options.framesPerSecond);
      await fleet.write(producer, due - fleet.written);
      fleet.change(Math.floor(minutesNow() * 60));
      await systemClock.sleep(ROUND_MS);
    }
    cancel();
    sample();
    await systemClock.sleep(QUIET_MS);
    await consumer.stop();
    const results = TASKS.map((task) => topics.results[task].name);
    const { frames, deadLetters } = topics;
    const verdict = await judge(stack.brokers, frames.name, deadLetters.name, results);
    const slopes = slopesOf(holdings);
    const at = (index: number) =>
      Object.fromEntries(
        Object.entries(holdings).map(([name, list]) => [name, defined(list.at(index), 'a sample')]),
      );
    return {
      ...options,
      verdict,
      camerasSeen: fleet.camerasSeen,
      slopes,
      first: at(0),
      last: at(-1),
      isSteady: Object.entries(slopes).every(
        ([name, slope]) => slope <= SLOPES_MAX[name.split(' ')[1] as keyof typeof SLOPES_MAX],
      ),
    };
  } finally {
    await consumer.kill();
    await stop();
  }
}

/** By process and measure: "consumer memoryMiB". */
function slopesOf(holdings: Readonly<Record<string, readonly Holding[]>>): Record<string, number> {
  const slopes: Record<string, number> = {};
  for (const [name, list] of Object.entries(holdings)) {
    for (const what of ['memoryMiB', 'files', 'connections'] as const) {
      slopes[`${name} ${what}`] = Number(slopeAnHour(list, what).toFixed(2));
    }
  }
  return slopes;
}

/** The cameras that there are now; each second the oldest goes and a new one comes. */
class Fleet {
  written = 0;
  readonly #tiny: TinyFrames;
  readonly #topic: string;
  /** Camera id -> its next sequence, oldest camera first. */
  readonly #cameras = new Map<string, number>();
  #camerasSeen = 0;
  #changes = 0;
  #turn = 0;

  constructor(tiny: TinyFrames, topic: string, count: number) {
    this.#tiny = tiny;
    this.#topic = topic;
    for (let index = 0; index < count; index++) this.#add();
  }

  get camerasSeen(): number {
    return this.#camerasSeen;
  }

  change(count: number): void {
    for (; this.#changes < count; this.#changes++) {
      const [oldest] = this.#cameras.keys();
      if (oldest !== undefined) this.#cameras.delete(oldest);
      this.#add();
    }
  }

  async write(producer: Producer, count: number): Promise<void> {
    const ids = [...this.#cameras.keys()];
    const records = Array.from({ length: count }, () => {
      const cameraId = defined(ids[this.#turn++ % ids.length], 'a camera');
      const sequence = this.#cameras.get(cameraId) ?? 0;
      this.#cameras.set(cameraId, sequence + 1);
      const frame = this.#tiny.frame(sequence, { cameraId });
      return {
        topic: this.#topic,
        key: cameraId,
        value: this.#tiny.record(sequence, { cameraId }),
        headers: { 'frame-id': frameId(frame) },
      };
    });
    await producer.send(records);
    this.written += count;
  }

  #add(): void {
    this.#cameras.set(`camera-${this.#camerasSeen++}`, 0);
  }
}
