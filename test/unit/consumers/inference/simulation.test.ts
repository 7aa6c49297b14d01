import { beforeAll, describe, expect, it } from 'vitest';
import { assemble } from '#consumers/inference/assemble.ts';
import type { EngineChannel, FromEngine, ToEngine } from '#consumers/inference/engine-protocol.ts';
import type { Pipeline } from '#consumers/inference/pipeline.ts';
import { Telemetry } from '#consumers/inference/telemetry.ts';
import { codeOf } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { silentLogger } from '#runtime/log.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { noTracer } from '#runtime/trace.ts';
import { decodeDeadLetter } from '#schemas/dead-letter.ts';
import { frameId } from '#schemas/frame.ts';
import { decodeResult, TASKS } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { ManualClock } from '#test/fixtures/manual-clock.ts';
import { settled } from './fakes.ts';
import { MemoryKafka } from './memory-kafka.ts';
import { type TinyFrames, tinyFrames } from './tiny-frames.ts';

/**
 * Whole consumers against a Kafka in memory, in the time of a manual clock: processes come, go,
 * crash and turn into zombies, transactions fail before and after they took place, engines die, the
 * camera agent repeats itself and writes nonsense. Whatever happens, once it stops: every frame has
 * one result of each head or one dead letter, in order.
 */
const PARTITIONS = 3;
const TOPICS = topicTable({ prefix: 'simulation' });

let tiny: TinyFrames;
beforeAll(async () => {
  tiny = await tinyFrames();
});

/** Finds nothing, takes its time, and dies now and then. */
class SimulatedEngine implements EngineChannel {
  readonly #clock: ManualClock;
  readonly #random: Random;
  #onMessage: (message: FromEngine) => void = () => undefined;
  #onExit: (how: string) => void = () => undefined;
  #isDead = false;
  #work: Promise<void> = Promise.resolve();

  constructor(clock: ManualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  send(message: ToEngine): void {
    this.#work = this.#work.then(() => this.#answer(message));
  }

  kill(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#onExit('SIGKILL');
  }

  onMessage(handler: (message: FromEngine) => void): void {
    this.#onMessage = handler;
  }

  onExit(handler: (how: string) => void): void {
    this.#onExit = handler;
  }

  async #answer(message: ToEngine): Promise<void> {
    await this.#clock.sleep(1 + this.#random.integer(40));
    if (this.#isDead) return;
    if (message.kind === 'open') this.#onMessage({ kind: 'ready' });
    else if (message.kind === 'close' || this.#random.integer(50) === 0) this.kill();
    else this.#onMessage({ kind: 'done', id: message.id, output: this.#run(message) });
  }

  #run({ batch }: Extract<ToEngine, { kind: 'run' }>) {
    const interval = { startUs: this.#clock.nowUs(), endUs: this.#clock.nowUs() };
    return {
      findings: batch.ratePoints.map(() => [
        { task: 'classification' as const, classifications: [] },
        { task: 'detection' as const, detections: [] },
        { task: 'segmentation' as const, masks: [] },
      ]),
      body: interval,
      heads: [interval, interval, interval],
    };
  }
}

class World {
  readonly random: Random;
  readonly clock = new ManualClock();
  readonly kafka: MemoryKafka;
  readonly telemetry = new Telemetry();
  readonly unexpected: unknown[] = [];
  readonly #processes = new Map<Pipeline, { leave: () => void; forget: () => void }>();
  readonly #frames = new Map<string, number>();
  #poison = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const kafkaRandom = this.random.fork('kafka');
    this.kafka = new MemoryKafka(TOPICS.frames.name, PARTITIONS, this.clock, kafkaRandom);
  }

  async start(): Promise<void> {
    const { broker, leave, forget } = this.kafka.broker();
    const engineRandom = this.random.fork(`engine ${this.#processes.size}`);
    const settings = {
      groupId: 'group',
      topics: TOPICS,
      engine: { bundleDirectory: '', heads: TASKS, provider: 'cpu' as const, threads: 1 },
      batchFramesMax: LIMITS.batchFramesMax,
    };
    let pipeline: Pipeline | undefined;
    const onFailed = (error: unknown) => {
      if (codeOf(error) !== 'broker-fenced') this.unexpected.push(error);
      // The process ends and its supervisor starts another.
      leave();
      if (pipeline !== undefined && this.#processes.delete(pipeline)) void this.start();
    };
    pipeline = assemble({
      settings,
      bundle: tiny.bundle,
      broker,
      framing: tiny.framing,
      clock: this.clock,
      logger: silentLogger,
      tracer: noTracer,
      telemetry: this.telemetry,
      spawnEngine: () => new SimulatedEngine(this.clock, engineRandom),
      onFailed,
    });
    this.#processes.set(pipeline, { leave, forget });
    await pipeline.start(onFailed);
  }

  get processCount(): number {
    return this.#processes.size;
  }

  /** Without a word: its lanes go on and must find out. The group notices it later. */
  crash(): void {
    const [first] = this.#processes;
    if (first === undefined) return;
    this.#processes.delete(first[0]);
    first[1].forget();
  }

  async stopOne(): Promise<void> {
    const [first] = this.#processes;
    if (first === undefined) return;
    this.#processes.delete(first[0]);
    await first[0].drain();
  }

  writeSome(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const cameraId = `cam-${partition}-${this.random.integer(2)}`;
      const sequence = this.#frames.get(cameraId) ?? 0;
      const value = tiny.record(sequence, { cameraId });
      this.kafka.write(partition, cameraId, value);
      if (this.random.integer(20) === 0) this.#repeat(partition, cameraId, sequence);
      this.#frames.set(cameraId, sequence + 1);
      if (this.random.integer(20) === 0) {
        this.kafka.write(partition, cameraId, value.subarray(0, 50));
        this.#poison++;
      }
    }
  }

  /** The agent's producer was replaced in mid-flight, and its backlog sent again. */
  #repeat(partition: number, cameraId: string, sequence: number): void {
    for (let back = Math.min(sequence, this.random.integer(15)); back >= 0; back--) {
      this.kafka.write(partition, cameraId, tiny.record(sequence - back, { cameraId }));
    }
  }

  isDone(): boolean {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      if (this.kafka.position(partition) < this.kafka.end(partition)) return false;
    }
    return true;
  }

  async step(): Promise<void> {
    this.kafka.fetch();
    await this.clock.advance(5 + this.random.integer(30));
    await settled();
  }

  check(): void {
    expect(this.unexpected).toEqual([]);
    const letters = this.kafka.committed
      .filter(({ topic }) => topic === TOPICS.deadLetters.name)
      .map(({ value }) => decodeDeadLetter(value, tiny.framing));
    // An engine that dies twice under one frame and then works is taken to have died of the frame.
    const failed = letters
      .filter(({ reason }) => reason === 'inference-failed')
      .map((letter) => letter.frameId);
    const truncated = letters.filter(({ reason }) => reason === 'record-truncated');
    expect(truncated).toHaveLength(this.#poison);
    expect(letters).toHaveLength(this.#poison + new Set(failed).size);
    for (const task of TASKS) {
      const found = this.kafka.committed
        .filter(({ topic }) => topic === TOPICS.results[task].name)
        .map(({ value }) => decodeResult(task, value, tiny.framing));
      for (const [cameraId, count] of this.#frames) {
        const ids = found.filter((result) => result.cameraId === cameraId).map(frameId);
        const all = Array.from({ length: count }, (_, sequence) =>
          frameId({ ...tiny.frame(sequence, { cameraId }) }),
        );
        expect(ids, task).toEqual(all.filter((id) => !failed.includes(id)));
      }
    }
  }
}

async function simulate(seed: number): Promise<World> {
  const world = new World(seed);
  void world.start();
  void world.start();
  for (let step = 0; step < 150; step++) {
    world.writeSome();
    await world.step();
    world.kafka.faultPercent = step % 50 < 25 ? 10 : 0;
    const event = world.random.integer(40);
    if (event === 0) world.kafka.rebalance();
    else if (event === 1) world.crash();
    else if (event === 2) void world.stopOne();
    else if (event === 3 || world.processCount === 0) void world.start();
  }
  world.kafka.faultPercent = 0;
  if (world.processCount === 0) void world.start();
  for (let step = 0; step < 2000 && !world.isDone(); step++) await world.step();
  // Whoever has something left to write twice does so now.
  await world.clock.advance(LIMITS.fencedGraceMs * 6);
  return world;
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe('exactly one result of each head, in order', () => {
  const totals = new Map<string, number>();

  it.each(SEEDS)('seed %i', async (seed) => {
    const world = await simulate(seed);
    expect(world.isDone(), `seed ${seed} is stuck`).toBe(true);
    world.check();
    for (const [name, value] of Object.entries(world.telemetry.snapshot())) {
      totals.set(name, (totals.get(name) ?? 0) + value);
    }
  });

  it('although all of it did happen', () => {
    for (const name of [
      'transaction-failed',
      'engine-restarts',
      'duplicate-frame',
      'batch-retried',
    ]) {
      expect(totals.get(name) ?? 0, name).toBeGreaterThan(SEEDS.length);
    }
  });
});
