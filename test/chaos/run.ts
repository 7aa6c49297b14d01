import type { LocalStack } from '#infra/local/stack.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { type Random, seededRandom } from '#runtime/random.ts';
import { TASKS } from '#schemas/result.ts';
import { type InferenceProcess, spawnInference } from '#test/fixtures/inference-child.ts';
import { isAnswered } from '#test/fixtures/is-answered.ts';
import { startTopicStack } from '#test/fixtures/topic-stack.ts';
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
  /** How often three consumers join, and leave again by SIGTERM one after another. */
  readonly scalings: number;
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
/** Without a result for so long, the end is not awaited: the referee says what is missing. */
const QUIET_MS = 60_000;

type Fault =
  | 'consumer killed'
  | 'consumer joined'
  | 'consumer left'
  | 'broker killed'
  | 'broker stopped';

const SCALING: readonly Fault[] = [
  ...(['consumer joined', 'consumer joined', 'consumer joined'] as const),
  ...(['consumer left', 'consumer left', 'consumer left'] as const),
];

export async function runChaos(
  options: ChaosOptions,
  say: (line: string) => void,
): Promise<ChaosReport> {
  const startMs = systemClock.monotonicMs();
  const random = seededRandom(options.seed);
  const table = { prefix: PREFIX, partitionCount: PARTITIONS, replicationFactor: 3 };
  const servers = { brokerCount: 3, redis: false } as const;
  const { stack, topics, broker, stop } = await startTopicStack(table, servers);
  const { brokers } = stack;
  const crew = new Crew(brokers);
  try {
    for (let count = 0; count < options.consumerCount; count++) crew.join();
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
      await cause(fault, { stack, crew, random });
    }
    await writer.done;
    await catchUp(watch, () => isAnswered(broker, `${PREFIX}-inference`, topics.frames.name));
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
    await stop();
  }
}

interface Victims {
  readonly stack: LocalStack;
  readonly crew: Crew;
  readonly random: Random;
}

async function cause(fault: Fault, { stack, crew, random }: Victims): Promise<void> {
  if (fault === 'consumer killed') return crew.killOne(random);
  if (fault === 'consumer joined') return crew.join();
  if (fault === 'consumer left') return crew.leave();
  const which = random.integer(stack.brokers.length);
  if (fault === 'broker killed') await stack.kill('kafka', which, { supervised: false });
  await stack.restart('kafka', which);
  await stack.ready();
}

/** In random order, but consumers join before they leave. */
function shuffledFaults(options: ChaosOptions, random: Random): Fault[] {
  const { consumerKills, brokerBounces, scalings } = options;
  const faults: Fault[] = [
    ...Array.from({ length: consumerKills }, (): Fault => 'consumer killed'),
    ...Array.from(
      { length: brokerBounces },
      (_, index): Fault => (index % 2 === 0 ? 'broker killed' : 'broker stopped'),
    ),
  ];
  const keyed = faults.map((fault) => ({ fault, key: random.next() }));
  for (let scaling = 0; scaling < scalings; scaling++) {
    const keys = SCALING.map(() => (scaling + random.next()) / scalings).sort((a, b) => a - b);
    keyed.push(...SCALING.map((fault, index) => ({ fault, key: keys[index] ?? 0 })));
  }
  return keyed.sort((a, b) => a.key - b.key).map(({ fault }) => fault);
}

/** Until all is answered, or nothing comes any more. */
async function catchUp(watch: RecoveryWatch, isOver: () => Promise<boolean>): Promise<void> {
  let results = watch.results;
  let quietFromMs = systemClock.monotonicMs();
  while (!(await isOver())) {
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
  readonly #members = new Set<InferenceProcess>();
  readonly #killed = new Set<InferenceProcess>();

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers;
  }

  join(): void {
    const member = spawnInference(this.#brokers, PREFIX);
    this.#members.add(member);
    void member.exited.then((code) => {
      if (!this.#members.delete(member)) return;
      if (!this.#killed.delete(member)) {
        this.ended++;
        process.stderr.write(`a consumer ended with ${code}:\n${lastLines(member.output())}\n`);
      }
      this.join();
    });
  }

  /** By SIGTERM: it commits what is under way. */
  async leave(): Promise<void> {
    const [member] = this.#members;
    if (member === undefined) return;
    this.#members.delete(member);
    await member.stop();
  }

  async killOne(random: Random): Promise<void> {
    const members = [...this.#members];
    const member = defined(members[random.integer(members.length)], 'a consumer');
    this.#killed.add(member);
    await member.kill();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#members].map(() => this.leave()));
  }

  async kill(): Promise<void> {
    const members = [...this.#members];
    this.#members.clear();
    await Promise.all(members.map((member) => member.kill()));
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-6).join('\n');
}
