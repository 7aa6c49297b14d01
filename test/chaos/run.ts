import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { openKafka } from '#runtime/kafka/kafka-broker.ts';
import { silentLogger } from '#runtime/log.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { TASKS } from '#schemas/result.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import { type InferenceProcess, spawnInference } from '#test/fixtures/inference-child.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { judge, type Verdict } from '#test/referee/java.ts';
import { writeFrames } from './frames.ts';
import { type RecoveryTimes, RecoveryWatch } from './recovery.ts';

export interface ChaosOptions {
  readonly frameCount: number;
  readonly cameraCount: number;
  /** Of all cameras together. */
  readonly framesPerSecond: number;
  readonly consumerCount: number;
  readonly consumerKills: number;
  readonly brokerBounces: number;
  readonly seed: number;
}

export interface ChaosReport extends ChaosOptions {
  readonly verdict: Verdict;
  /** From a fault to a result, of every camera, of a frame that was captured after it. */
  readonly recovery: Readonly<Record<string, RecoveryTimes | undefined>>;
  /** Consumers that ended by themselves, as a fenced one does, and were started again. */
  readonly consumersEnded: number;
  readonly seconds: number;
}

const PARTITIONS = 6;
const PREFIX = 'chaos';
/** Without a result for so long, the end is not awaited any more: the referee says what is missing. */
const QUIET_MS = 60_000;

type Fault = 'consumer killed' | 'broker killed' | 'broker stopped';

export async function runChaos(
  options: ChaosOptions,
  say: (line: string) => void,
): Promise<ChaosReport> {
  const startMs = systemClock.monotonicMs();
  const random = seededRandom(options.seed);
  const stack = await startTestStack({ brokerCount: 3, redis: false });
  const { brokers } = stack;
  const settings = { brokers, clientId: 'chaos', tls: undefined, sasl: undefined };
  const broker = openKafka(settings, { clock: systemClock, logger: silentLogger });
  const crew = new Crew(brokers, options.consumerCount);
  try {
    const topics = topicTable({ prefix: PREFIX, partitionCount: PARTITIONS, replicationFactor: 3 });
    await broker.ensureTopics(topicSpecs(topics));
    crew.start();
    const writer = await writeFrames({ ...options, broker, topic: topics.frames.name });
    const watch = new RecoveryWatch(writer.cameraIds);
    await watch.start(broker, topics.results.detection.name, `${PREFIX}-watch`);

    const faults = shuffledFaults(options, random.fork('faults'));
    for (const [index, fault] of faults.entries()) {
      // At a share of the frames rather than of the time, which faults stretch.
      const due = ((index + random.next()) / faults.length) * options.frameCount;
      while (writer.written < due) await systemClock.sleep(20);
      watch.fault(fault, writer.nextSequence);
      say(`${writer.written} of ${options.frameCount} frames, ${watch.results} results: ${fault}`);
      if (fault === 'consumer killed') await crew.killOne(random);
      else {
        const which = random.integer(brokers.length);
        if (fault === 'broker killed') await stack.kill('kafka', which, { supervised: false });
        await stack.restart('kafka', which);
        await stack.ready();
      }
    }
    await writer.done;
    await catchUp(watch, writer.nextSequence - 1);
    await crew.stop();
    const results = TASKS.map((task) => topics.results[task].name);
    const verdict = await judge(brokers, topics.frames.name, topics.deadLetters.name, results);
    const names = [...new Set(faults)].sort();
    return {
      ...options,
      verdict,
      recovery: Object.fromEntries(names.map((name) => [name, watch.times(name)])),
      consumersEnded: crew.ended,
      seconds: Math.round((systemClock.monotonicMs() - startMs) / 1000),
    };
  } finally {
    await crew.kill();
    await broker.close();
    await stack.stop();
  }
}

function shuffledFaults({ consumerKills, brokerBounces }: ChaosOptions, random: Random): Fault[] {
  const faults: Fault[] = [
    ...Array.from({ length: consumerKills }, (): Fault => 'consumer killed'),
    ...Array.from(
      { length: brokerBounces },
      (_, index): Fault => (index % 2 === 0 ? 'broker killed' : 'broker stopped'),
    ),
  ];
  return faults
    .map((fault) => ({ fault, key: random.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ fault }) => fault);
}

async function catchUp(watch: RecoveryWatch, sequence: number): Promise<void> {
  let results = watch.results;
  let quietFromMs = systemClock.monotonicMs();
  // The last row of frames may have ended before the last camera: one below it is enough.
  while (watch.answered < sequence - 1) {
    await systemClock.sleep(100);
    if (watch.results !== results) quietFromMs = systemClock.monotonicMs();
    results = watch.results;
    if (systemClock.monotonicMs() - quietFromMs > QUIET_MS) return;
  }
}

/** The consumers, each started again whenever it ends. */
class Crew {
  /** How many ended without having been killed. */
  ended = 0;
  readonly #brokers: readonly string[];
  readonly #members: (InferenceProcess | undefined)[];
  readonly #killed = new Set<InferenceProcess>();
  #isStopping = false;

  constructor(brokers: readonly string[], count: number) {
    this.#brokers = brokers;
    this.#members = Array.from({ length: count }, () => undefined);
  }

  start(): void {
    for (const index of this.#members.keys()) this.#employ(index);
  }

  async killOne(random: Random): Promise<void> {
    const member = defined(this.#members[random.integer(this.#members.length)], 'a consumer');
    this.#killed.add(member);
    await member.kill();
  }

  /** SIGTERM to all; they commit what is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#members.map((member) => member?.stop()));
  }

  async kill(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#members.map((member) => member?.kill()));
  }

  #employ(index: number): void {
    const member = spawnInference(this.#brokers, PREFIX);
    this.#members[index] = member;
    void member.exited.then((code) => {
      if (this.#isStopping) return;
      if (!this.#killed.delete(member)) {
        this.ended++;
        process.stderr.write(`a consumer ended with ${code}:\n${lastLines(member.output())}\n`);
      }
      this.#employ(index);
    });
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-6).join('\n');
}
