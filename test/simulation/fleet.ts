import { join } from 'node:path';
import type { Journey } from '#producers/camera/journey.ts';
import { SpoolStore } from '#producers/camera/spool-store.ts';
import type { Broker } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import { Agent, type CameraTrouble, SPOOL_BYTES_MAX } from './agent.ts';
import type { Cluster } from './broker/cluster.ts';
import { connectTo, RECORDS_PER_FETCH_MAX } from './broker/fake-broker.ts';
import { watchCommits } from './commit-law.ts';
import { type HandlerTrouble, Inference, Subscriber } from './consumers.ts';
import type { ChangeOutput, EngineTrouble } from './engine.ts';
import type { Host, Machine } from './host.ts';
import type { Journal } from './journal.ts';
import type { Law } from './laws.ts';
import type { Bitstreams } from './pictures.ts';
import type { Plan } from './plan.ts';
import { type Program, Supervised } from './supervised.ts';
import type { Truth } from './truth.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Mistakes that a canary plants, at the borders of the product's code. */
export interface Changes {
  readonly inferenceBroker?: (broker: Broker) => Broker;
  readonly engineOutput?: ChangeOutput;
  readonly journey?: (journey: Journey) => Journey;
}

/** Shares of a thousand that go wrong; all are zero in quiet times. */
export type Trouble = CameraTrouble & EngineTrouble & HandlerTrouble;

/** What the processes of a world share. */
export interface Surroundings {
  readonly random: Random;
  readonly plan: Plan;
  readonly time: VirtualClock;
  readonly cluster: Cluster;
  readonly topics: TopicTable;
  readonly truth: Truth;
  readonly journal: Journal;
  readonly tiny: TinyFrames;
  readonly bitstreams: Bitstreams;
  /** A folder of this world's own, made when it is first needed. */
  readonly folder: () => string;
  readonly trouble: Trouble;
  readonly changes: Changes;
  readonly violate: (law: Law, what: string) => void;
  readonly count: (name: string) => void;
}

/** All processes of a world, and the machines they run on. */
export class Fleet {
  readonly agents: readonly Supervised[];
  readonly inferences: readonly Supervised[];
  readonly subscribers: readonly Supervised[];
  readonly cameraMachine: Machine = { wallOffsetMs: 0 };
  readonly consumerMachine: Machine = { wallOffsetMs: 0 };
  readonly #around: Surroundings;
  /** All that ran, by the name of the host. */
  readonly #agentsRunning = new Map<string, Agent>();
  readonly #inferencesRunning = new Map<string, Inference>();

  constructor(around: Surroundings) {
    this.#around = around;
    const { agentCount, inferenceCount, subscriberCount } = around.plan;
    this.agents = numbered(agentCount, (index) => {
      return this.#supervise(`agent-${index}`, this.cameraMachine, this.#agentProgram(index));
    });
    this.inferences = numbered(inferenceCount, (index) => {
      return this.#supervise(`inference-${index}`, this.consumerMachine, this.#inferenceProgram());
    });
    this.subscribers = numbered(subscriberCount, (index) => {
      return this.#supervise(
        `subscriber-${index}`,
        this.consumerMachine,
        this.#subscriberProgram(),
      );
    });
  }

  get all(): readonly Supervised[] {
    return [...this.agents, ...this.inferences, ...this.subscribers];
  }

  /** The law of bound: each queue of each process is within its limits. */
  checkBounds(): void {
    const { violate } = this.#around;
    const within = (who: string, what: string, value: number, most: number) => {
      if (value > most) violate('bound', `${who} holds ${value} ${what}, at most ${most}`);
    };
    for (const { host } of this.agents) {
      const backlog = host && this.#agentsRunning.get(host.name)?.backlog();
      if (!host || !backlog) continue;
      within(host.name, 'bytes to be published', backlog.bytes, LIMITS.publishBacklogBytesMax);
    }
    for (const { host } of this.inferences) {
      const telemetry = host && this.#inferencesRunning.get(host.name)?.telemetry;
      if (!host || !telemetry) continue;
      const figures = telemetry.snapshot();
      const figure = (name: string) => figures[name] ?? 0;
      // A fetch that is under way when its partition is paused still comes.
      const perLane = LIMITS.recordsInFlightPerPartitionMax + RECORDS_PER_FETCH_MAX;
      const records = figure('lanes') * perLane;
      within(host.name, 'records', figure('records-in-flight'), records);
      const bytes = LIMITS.consumerBytesInFlightMax;
      within(host.name, 'bytes', figure('bytes-in-flight'), bytes);
      const decoded = LIMITS.parsedFramesMax;
      within(host.name, 'decoded frames', figure('frames-parsed-waiting'), decoded);
      const batches = LIMITS.batchesInEngineMax;
      within(host.name, 'batches in the engine', figure('batches-in-engine'), batches);
      const ends = ['frames-committed', 'frames-already-committed', 'frames-let-go'];
      const told = [...ends, 'records-in-flight'].reduce((sum, name) => sum + figure(name), 0);
      const fetched = figure('frames-fetched');
      if (told !== fetched) violate('mistake', `${host.name} fetched ${fetched}, tells ${told}`);
    }
  }

  /** What all consumers counted, from the start to the end of each. */
  counts(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const { telemetry } of this.#inferencesRunning.values()) {
      for (const [name, count] of Object.entries(telemetry.snapshot())) {
        sums[name] = (sums[name] ?? 0) + count;
      }
    }
    return sums;
  }

  #supervise(name: string, machine: Machine, program: Program): Supervised {
    const { time, random, journal, violate, truth } = this.#around;
    const onMistake = (error: unknown) => {
      const stack = error instanceof Error ? error.stack : String(error);
      violate('mistake', `${name} died: ${stack}`);
    };
    const onKilled = (host: string) => void truth.killed.add(host);
    const options = { name, program, time, machine, journal, onMistake, onKilled };
    return new Supervised({ ...options, random: random.fork(`supervisor of ${name}`) });
  }

  #connect(host: Host, random: Random): Broker {
    return connectTo(this.#around.cluster, host, random.fork('broker'));
  }

  #agentProgram(index: number): Program {
    const { plan, truth, time, journal, changes, count } = this.#around;
    const { tiny, bitstreams, topics, trouble } = this.#around;
    const { camerasPerAgent, framesPerSecond } = plan;
    const cameraIds = numbered(camerasPerAgent, (camera) => `cam-${index}-${camera}`);
    const headsOf = (cameraId: string) => plan.wishes[cameraIds.indexOf(cameraId)] ?? null;
    return (host, onFailed) => {
      const random = this.#around.random.fork(host.name);
      const agent = new Agent(
        {
          ...{ agentId: `agent-${index}`, cameraIds, framesPerSecond, headsOf },
          ...{ random, tiny, bitstreams, topics, trouble },
          broker: this.#connect(host, random),
          openStore: plan.hasSpool ? () => this.#openStore(host, index) : undefined,
          clock: host.clock,
          logger: journal.logger(host.name),
          onCaptured: (frame, picture) => {
            count('captured');
            const at = { agent: host.name, atMs: time.monotonicMs() };
            truth.captured(frame, picture, { ...at, heads: headsOf(frame.cameraId) });
          },
          changeJourney: changes.journey,
        },
        onFailed,
      );
      this.#agentsRunning.set(host.name, agent);
      return agent;
    };
  }

  /** The folder stays when the process dies, with whatever it had written. */
  #openStore(host: Host, index: number): SpoolStore {
    const { folder } = this.#around;
    const store = new SpoolStore(join(folder(), `agent-${index}`), SPOOL_BYTES_MAX);
    host.onKilled(() => {
      try {
        store.close();
      } catch {
        // One that was drained has closed it itself.
      }
    });
    return store;
  }

  #inferenceProgram(): Program {
    const { plan, journal, changes, violate, tiny, topics, trouble } = this.#around;
    return (host, onFailed) => {
      const random = this.#around.random.fork(host.name);
      const broker = watchCommits(this.#connect(host, random), (what) => {
        violate('commit', `${host.name}: ${what}`);
      });
      const inference = new Inference(
        {
          ...{ host, random, tiny, topics, trouble },
          broker: changes.inferenceBroker?.(broker) ?? broker,
          logger: journal.logger(host.name),
          settings: plan,
          changeOutput: changes.engineOutput,
        },
        onFailed,
      );
      this.#inferencesRunning.set(host.name, inference);
      return inference;
    };
  }

  #subscriberProgram(): Program {
    const { truth, time, journal, count, tiny, topics, trouble } = this.#around;
    return (host, onFailed) => {
      const random = this.#around.random.fork(host.name);
      return new Subscriber(
        {
          ...{ host, random, tiny, topics, trouble },
          broker: this.#connect(host, random),
          logger: journal.logger(host.name),
          onDelivered: (task, { frameId: id }) => {
            count('delivered');
            truth.delivered.push({ subscriber: host.name, task, id, atMs: time.monotonicMs() });
          },
        },
        onFailed,
      );
    };
  }
}

function numbered<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
