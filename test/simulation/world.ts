import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BalanceReport } from '#consumers/subscriber/balance.ts';
import { readBalance } from '#consumers/subscriber/read-balance.ts';
import { seededRandom } from '#runtime/random.ts';
import { TASKS } from '#schemas/result.ts';
import { topicSpecs, topicTable } from '#schemas/topics.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { Cluster } from './broker/cluster.ts';
import { connectTo } from './broker/fake-broker.ts';
import { CommitLaw } from './commit-law.ts';
import { INFERENCE_GROUP, SUBSCRIBER_GROUP } from './consumers.ts';
import { drawTrouble, Faults } from './faults.ts';
import { type Changes, Fleet, type Surroundings } from './fleet.ts';
import { Host } from './host.ts';
import { Journal } from './journal.ts';
import { gather, judge, type Law, livenessMsMax, livenessWaits, type Violation } from './laws.ts';
import type { Bitstreams } from './pictures.ts';
import { drawPlan } from './plan.ts';
import type { Supervised } from './supervised.ts';
import { Truth } from './truth.ts';
import { VirtualClock } from './virtual-clock.ts';

/** How long everything may take to come to its end once the cameras have stopped. */
const END_MS = 120_000;
const CHECK_MS = 1_000;

/** Figures of the inference consumers that tell whether a run had anything in it. */
const COUNTERS = [
  ...['transaction-failed', 'engine-restarts', 'duplicate-frame', 'batch-retried'],
  ...TASKS.flatMap((task) => [`results-${task}`, `results-unwanted-${task}`]),
];

export interface WorldOptions {
  readonly seed: number;
  readonly tiny: TinyFrames;
  readonly bitstreams: Bitstreams;
  /** Mistakes to be planted. */
  readonly changes?: Changes;
  /** Is given every event as it happens. */
  readonly tell?: (line: string) => void;
}

export interface Outcome {
  readonly violations: readonly Violation[];
  readonly lastEvents: readonly string[];
  readonly simulatedMs: number;
  /** The longest that a camera waited for its first fresh result, of the time it may take. */
  readonly livenessShare: number;
  /** How often each thing happened, to know that anything did. */
  readonly tally: Readonly<Record<string, number>>;
}

/**
 * The whole pipeline in one process: cameras, agents, a cluster, consumers and subscribers, in
 * virtual time, and all that happens to them drawn from one seed.
 *
 *   faults -> quiet: nothing goes wrong, fresh frames are awaited -> the cameras stop
 *   -> everything comes to its end -> the laws are checked
 */
export class World {
  readonly #around: Surroundings;
  readonly #fleet: Fleet;
  readonly #violations: Violation[] = [];
  readonly #tally: Record<string, number> = {};
  #folder: string | undefined;

  constructor({ seed, tiny, bitstreams, changes = {}, tell }: WorldOptions) {
    const random = seededRandom(seed);
    const plan = drawPlan(random.fork('plan'));
    const time = new VirtualClock();
    const cluster = new Cluster(time, random.fork('cluster'));
    const topics = topicTable({ prefix: 'simulation', partitionCount: plan.partitionCount });
    const journal = new Journal(time, tell);
    journal.note('world', 'plan', { plan: JSON.stringify(plan) });
    const violate = (law: Law, what: string) => {
      journal.note('world', `VIOLATION of ${law}`, { what });
      this.#violations.push({ law, what });
    };
    this.#around = {
      ...{ random, plan, time, cluster, topics, journal, tiny, bitstreams, changes, violate },
      truth: new Truth(),
      folder: () => {
        this.#folder ??= mkdtempSync(join(tmpdir(), 'halfsight-simulation-'));
        return this.#folder;
      },
      trouble: drawTrouble(plan),
      count: (name) => {
        this.#tally[name] = (this.#tally[name] ?? 0) + 1;
      },
    };
    const commits = new CommitLaw(cluster, topics, tiny.framing, INFERENCE_GROUP, (what) => {
      violate('commit', what);
    });
    cluster.onCommitted = (transaction) => commits.onCommitted(transaction);
    cluster.count = this.#around.count;
    this.#fleet = new Fleet(this.#around);
  }

  async run(): Promise<Outcome> {
    const { plan, time, cluster, topics, truth, journal } = this.#around;
    for (const spec of topicSpecs(topics)) cluster.ensureTopic(spec);
    const faults = new Faults(this.#around, this.#fleet);
    for (const each of this.#fleet.all) each.start();
    time.every(CHECK_MS, () => this.#fleet.checkBounds());
    faults.begin();
    await this.#runUntil(plan.faultPhaseMs);
    faults.end();
    const quietFromMs = time.monotonicMs();
    await this.#awaitFreshFrames(quietFromMs);
    await this.#comeToAnEnd();
    if (this.#violations.length === 0) await this.#judge(quietFromMs);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true });
    const waits = livenessWaits(truth, quietFromMs);
    return {
      violations: this.#violations,
      lastEvents: journal.last(),
      simulatedMs: time.monotonicMs(),
      livenessShare: Math.max(0, ...waits.values()) / livenessMsMax(plan),
      tally: { ...this.#tally, ...pick(this.#fleet.counts(), COUNTERS) },
    };
  }

  /** Stops for good at the first violation: what comes after explains nothing. */
  #runUntil(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    return this.#around.time.run(untilMs, () => this.#violations.length > 0 || isOver());
  }

  async #awaitFreshFrames(quietFromMs: number): Promise<void> {
    const { time, truth } = this.#around;
    const isLive = () => {
      const waits = livenessWaits(truth, quietFromMs);
      return waits.size > 0 && Math.max(...waits.values()) < Number.POSITIVE_INFINITY;
    };
    const endMs = quietFromMs + livenessMsMax(this.#around.plan) + CHECK_MS;
    while (time.monotonicMs() < endMs && !isLive()) {
      await this.#runUntil(time.monotonicMs() + CHECK_MS);
      if (this.#violations.length > 0) return;
    }
  }

  // ---- The end -----------------------------------------------------------------------------

  async #comeToAnEnd(): Promise<void> {
    const { agents, inferences, subscribers } = this.#fleet;
    await this.#retire(agents, 'the agents');
    await this.#await(() => this.#areFramesAnswered(), 'every frame is answered');
    await this.#await(() => this.#areResultsDelivered(), 'every result is delivered');
    await this.#retire([...inferences, ...subscribers], 'the consumers');
  }

  async #retire(processes: readonly Supervised[], who: string): Promise<void> {
    for (const each of processes) each.retire();
    await this.#await(() => processes.every(({ host }) => host === undefined), `${who} have ended`);
  }

  async #await(condition: () => boolean, what: string): Promise<void> {
    const { time, violate } = this.#around;
    if (this.#violations.length > 0) return;
    const endMs = time.monotonicMs() + END_MS;
    while (!condition() && time.monotonicMs() < endMs && this.#violations.length === 0) {
      await this.#runUntil(time.monotonicMs() + CHECK_MS / 10);
    }
    if (!condition()) violate('liveness', `it is waited in vain until ${what}`);
  }

  #areFramesAnswered(): boolean {
    const { frames } = this.#around.topics;
    return this.#hasRead(INFERENCE_GROUP, frames.name);
  }

  #areResultsDelivered(): boolean {
    const { results } = this.#around.topics;
    return TASKS.every((task) => this.#hasRead(SUBSCRIBER_GROUP, results[task].name));
  }

  #hasRead(groupId: string, topic: string): boolean {
    const { cluster } = this.#around;
    return cluster.partitions(topic).every((log) => {
      const position = cluster.positions.get(groupId, topic, log.partition)?.offset ?? 0;
      return log.isOver(position);
    });
  }

  // ---- The laws ----------------------------------------------------------------------------

  async #judge(quietFromMs: number): Promise<void> {
    const { cluster, topics, tiny, truth, time, violate, plan } = this.#around;
    const balance = await time.drive(this.#balance());
    const found = gather(cluster, topics, tiny.framing);
    const livenessMs = livenessMsMax(plan);
    const evidence = { quietFromMs, livenessMs, ...found, truth, balance };
    for (const { law, what } of judge(evidence)) violate(law, what);
  }

  /** As `npm run balance` does it, over the broker. */
  async #balance(): Promise<BalanceReport> {
    const { cluster, topics, tiny, time, random } = this.#around;
    const host = new Host('balance', time);
    return readBalance({
      broker: connectTo(cluster, host, random.fork('balance')),
      ...{ topics, framing: tiny.framing, heads: TASKS },
      ...{ clock: host.clock, stopping: new AbortController().signal },
    });
  }
}

function pick(counts: Readonly<Record<string, number>>, names: readonly string[]) {
  return Object.fromEntries(names.map((name) => [name, counts[name] ?? 0]));
}
