import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defined } from '#runtime/assert.ts';
import type { Clock } from '#runtime/clock.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { classArchive } from './class-archive.ts';
import { addressesOf, type ClusterPorts, PROXIED_LISTENER, planPorts } from './cluster-ports.ts';
import { Guard } from './guard.ts';
import { knownBrokers, prepareBroker } from './kafka.ts';
import { kafkaCache } from './kafka-jars.ts';
import type { BrokerNode } from './kafka-properties.ts';
import { ManagedProcess, type ProcessSpec } from './managed-process.ts';
import { endOrphans, LOCK_NAME } from './orphans.ts';
import { takeLock } from './owner-lock.ts';
import { prepareRedis } from './redis.ts';
import {
  SECURE_LISTENERS,
  type SecureAccess,
  type SecureListeners,
  type SecureOptions,
  secureListeners,
} from './secure-listeners.ts';

export interface LocalStackOptions {
  /** Everything the stack writes is below; a second start on the same folder finds its data. */
  readonly directory: string;
  /** For Kafka's jars: `cacheDirectory` of runtime/settings.ts. */
  readonly cacheDirectory: string;
  /** Three brokers replicate three-fold and need two in sync. 0: no Kafka. Default 1. */
  readonly brokerCount?: 0 | 1 | 3;
  /** Default true. */
  readonly redis?: boolean;
  /**
   * Gives every broker two more listeners, one with TLS and SCRAM-SHA-512 and one with mutual TLS
   * (`LocalStack.secure`), and ACLs. Default: none, and everybody may do everything.
   */
  readonly secure?: SecureOptions;
  /**
   * One port for each broker: gives it one more plain listener (`LocalStack.proxied`), which tells
   * clients to come to this port instead of its own. A test that listens on these ports and passes
   * bytes on to `proxied` can cut, delay or throttle what is between clients and brokers, while the
   * brokers talk to one another past it. Clients begin at `127.0.0.1:<advertised port>`.
   */
  readonly advertisedPorts?: readonly number[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls the start off (Ctrl-C during a download, say): it rejects and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

export type ServerKind = 'kafka' | 'redis';

export interface LocalStack {
  /** `127.0.0.1:port` of each broker. */
  readonly brokers: readonly string[];
  readonly redisUrl: string | undefined;
  /** Undefined unless `LocalStackOptions.secure` asked for it. */
  readonly secure: SecureAccess | undefined;
  /** `127.0.0.1:port` of the listeners behind `advertisedPorts`; empty unless those were given. */
  readonly proxied: readonly string[];
  /** Pids of the servers that run now, by name (`kafka-1`, `redis`). */
  readonly pids: ReadonlyMap<string, number>;
  /**
   * SIGKILL to the `index`th server of the kind; resolves when it is gone. The supervisor starts it
   * again at once (`ready` waits for that), unless `supervised: false`: then `restart` does.
   */
  kill(kind: ServerKind, index?: number, options?: { supervised: boolean }): Promise<void>;
  /** Starts a server again on its port and data, stopping it first if it runs. */
  restart(kind: ServerKind, index?: number): Promise<void>;
  /** Resolves when every server answers and every broker sees all the others. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts real Kafka and real Redis on free ports of this machine and waits until they answer. */
export async function startLocalStack(given: LocalStackOptions): Promise<LocalStack> {
  // The servers run in folders of their own, where a relative path would mean something else.
  const directory = resolve(given.directory);
  const options = { ...given, directory, cacheDirectory: resolve(given.cacheDirectory) };
  const { clock, logger } = options;
  await mkdir(directory, { recursive: true });
  const lock = await takeLock(join(directory, LOCK_NAME));
  if (!lock.taken) {
    const message = `process ${lock.ownerPid} already runs a stack in ${directory}.`;
    throw new HalfsightError('stack-failed', message, {
      advice: 'Stop that one first, or set KAFKA_BROKERS and REDIS_URL to share its servers.',
    });
  }
  const guard = new Guard(logger);
  const servers: ManagedProcess[] = [];
  const stop = async () => {
    // In parallel: stopped one after another, the last broker waits long for a quorum in vain.
    await Promise.all(servers.map((server) => server.stop()));
    await guard.close();
    await lock.release();
  };
  const start = async () => {
    await endOrphans(directory, clock, logger);
    const plan = await prepare(options, guard);
    if (options.signal?.aborted) throw calledOff();
    const manage = (spec: ProcessSpec) => {
      const server = new ManagedProcess(spec, { clock, logger, guard });
      servers.push(server);
      return server;
    };
    const kafka = plan.kafka.map(manage);
    const redis = plan.redis.map(manage);
    const stack = new Stack({ ...plan, servers: { kafka, redis }, clock, stop });
    await Promise.all(servers.map((server) => server.start()));
    await stack.ready();
    return stack;
  };
  try {
    return await unlessAborted(start(), options.signal);
  } catch (error) {
    await stop();
    throw error;
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(calledOff());
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function calledOff(): HalfsightError {
  return new HalfsightError('stack-failed', 'the start of the local stack was called off.');
}

interface Plan extends ClusterPorts {
  readonly secure: SecureListeners | undefined;
  readonly kafka: readonly ProcessSpec[];
  readonly redis: readonly ProcessSpec[];
}

async function prepare(options: LocalStackOptions, guard: Guard): Promise<Plan> {
  const { directory, cacheDirectory, clock, logger, brokerCount = 1, redis = true } = options;
  const { secure: secureOptions, advertisedPorts = [] } = options;
  const extraListeners = secureOptions === undefined ? [] : SECURE_LISTENERS;
  const wanted = { brokerCount, extraListeners, advertisedPorts };
  const { redisPort, cluster } = await planPorts(directory, wanted);
  // Storage belongs to a cluster of one size, whose voters it remembers.
  const home = (node: BrokerNode) => join(directory, `kafka-${node.id}-of-${brokerCount}`);
  const dependencies = { clock, logger, guard };
  const certificates = join(directory, 'certificates');
  const secure =
    secureOptions && (await secureListeners(secureOptions, certificates, dependencies));
  const kafka = async () => {
    const jars = await kafkaCache(cacheDirectory, dependencies);
    const archive = await classArchive(jars, join(directory, 'classes.jsa'), logger);
    // What would begin from here on, nobody would end.
    if (options.signal?.aborted) throw calledOff();
    const runtime = { jars, archive, secure };
    return Promise.all(
      cluster.map((node) => prepareBroker(node, cluster, home(node), runtime, dependencies)),
    );
  };
  return {
    cluster,
    redisPort,
    secure,
    kafka: brokerCount === 0 ? [] : await kafka(),
    redis: redis ? [await prepareRedis(redisPort, join(directory, 'redis'), clock)] : [],
  };
}

class Stack implements LocalStack {
  readonly brokers: readonly string[];
  readonly redisUrl: string | undefined;
  readonly secure: SecureAccess | undefined;
  readonly proxied: readonly string[];
  readonly #cluster: readonly BrokerNode[];
  readonly #servers: Readonly<Record<ServerKind, readonly ManagedProcess[]>>;
  readonly #clock: Clock;
  readonly #stop: () => Promise<void>;
  #stopped: Promise<void> | undefined;

  constructor(
    parts: Plan & {
      readonly servers: Readonly<Record<ServerKind, readonly ManagedProcess[]>>;
      readonly clock: Clock;
      readonly stop: () => Promise<void>;
    },
  ) {
    this.brokers = parts.cluster.map(({ brokerPort }) => `127.0.0.1:${brokerPort}`);
    this.redisUrl =
      parts.servers.redis.length > 0 ? `redis://127.0.0.1:${parts.redisPort}` : undefined;
    this.secure = parts.secure?.access(parts.cluster);
    this.proxied = addressesOf(parts.cluster, PROXIED_LISTENER);
    this.#cluster = parts.cluster;
    this.#servers = parts.servers;
    this.#clock = parts.clock;
    this.#stop = parts.stop;
  }

  get pids(): ReadonlyMap<string, number> {
    const all = [...this.#servers.kafka, ...this.#servers.redis];
    return new Map(
      all.flatMap(({ spec, pid }) => (pid === undefined ? [] : [[spec.name, pid] as const])),
    );
  }

  kill(kind: ServerKind, index = 0, options = { supervised: true }): Promise<void> {
    return this.#server(kind, index).kill(options);
  }

  async restart(kind: ServerKind, index = 0): Promise<void> {
    const server = this.#server(kind, index);
    await server.stop();
    await server.start();
  }

  async ready(): Promise<void> {
    const all = [...this.#servers.kafka, ...this.#servers.redis];
    await Promise.all(all.map((server) => server.whenUp()));
    const deadlineMs = this.#clock.monotonicMs() + LIMITS.stackStartTimeoutMs;
    for (const node of this.#cluster) {
      while ((await knownBrokers(node, this.#clock)).length < this.#cluster.length) {
        if (this.#clock.monotonicMs() > deadlineMs) {
          throw new HalfsightError('stack-failed', `broker ${node.id} does not see all others.`);
        }
        await this.#clock.sleep(100);
      }
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #server(kind: ServerKind, index: number): ManagedProcess {
    return defined(this.#servers[kind][index], `${kind} number ${index} of the stack`);
  }
}
