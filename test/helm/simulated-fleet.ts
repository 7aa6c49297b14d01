import { Autoscaler, type ScaledObjectSpec, SYNC_SECONDS } from './autoscaler.ts';

/** Consumers, as an autoscaler meets them; times in seconds, of the start of the run. */
export interface FleetOptions {
  readonly partitions: number;
  /** Frames that arrive in the second that begins at `at`, of all partitions. */
  readonly load: (at: number) => number;
  readonly seconds: number;
  /** What one replica does. */
  readonly framesPerSecondPerReplica: number;
  /** Until a new replica has its model loaded and asks to join. */
  readonly startSeconds: number;
  /** Nobody works for so long when members come or go. */
  readonly rebalanceSeconds: number;
  readonly replicasAtStart: number;
}

export interface FleetSample {
  readonly at: number;
  readonly load: number;
  readonly replicas: number;
  readonly lagSeconds: number;
  readonly lagRecords: number;
}

const RATE_WINDOW_SECONDS = 120;

/** A sample for each look of the autoscaler. */
export function simulate(spec: ScaledObjectSpec, options: FleetOptions): readonly FleetSample[] {
  const { partitions, load, seconds, startSeconds, rebalanceSeconds } = options;
  const autoscaler = new Autoscaler(spec);
  const queues = Array.from({ length: partitions }, () => new Queue());
  const done: number[] = [];
  const samples: FleetSample[] = [];
  let replicas = options.replicasAtStart;
  let members = replicas;
  let joins: { readonly at: number; readonly members: number }[] = [];
  let pausedUntil = 0;
  for (let at = 0; at < seconds; at++) {
    for (const queue of queues) queue.add(at, load(at) / partitions);
    for (const join of joins.filter((one) => one.at === at)) {
      members = join.members;
      pausedUntil = at + rebalanceSeconds;
    }
    done.push(at < pausedUntil ? 0 : work(queues, members, options.framesPerSecondPerReplica));
    if (done.length > RATE_WINDOW_SECONDS) done.shift();
    if (at % SYNC_SECONDS !== 0) continue;
    const lags = queues.map((queue) => Math.floor(queue.length));
    const lagSeconds = Math.max(...queues.map((queue) => queue.age(at)));
    const framesPerSecond = done.reduce((sum, one) => sum + one, 0) / done.length;
    const observed = { lagSeconds, framesPerSecond, lagRecordsByPartition: lags };
    const next = autoscaler.next(at, replicas, observed);
    if (next !== replicas) {
      const joinAt = at + (next > replicas ? startSeconds : 1);
      joins = [...joins.filter((one) => one.at > at), { at: joinAt, members: next }];
    }
    replicas = next;
    const lagRecords = lags.reduce((sum, one) => sum + one, 0);
    samples.push({ at, load: load(at), replicas, lagSeconds, lagRecords });
  }
  return samples;
}

/** How often the number of replicas turned from growing to shrinking, or back. */
export function turns(samples: readonly FleetSample[]): number {
  const steps = samples
    .map(({ replicas }, index) => replicas - (samples[index - 1]?.replicas ?? replicas))
    .filter((step) => step !== 0)
    .map(Math.sign);
  return steps.filter((step, index) => index > 0 && step !== steps[index - 1]).length;
}

/** Each replica has every so-manieth partition, and shares its second out between them. */
function work(queues: readonly Queue[], members: number, capacity: number): number {
  let done = 0;
  for (let member = 0; member < members; member++) {
    let left = capacity;
    const own = queues.filter((_, index) => index % members === member);
    for (const [index, queue] of own.entries()) {
      const taken = queue.take(left / (own.length - index));
      left -= taken;
      done += taken;
    }
  }
  return done;
}

/** Frames of a partition, by the second in which they came. */
class Queue {
  #waiting: { readonly at: number; frames: number }[] = [];
  length = 0;

  add(at: number, frames: number): void {
    this.#waiting.push({ at, frames });
    this.length += frames;
  }

  take(most: number): number {
    let left = most;
    while (left > 0) {
      const [oldest] = this.#waiting;
      if (oldest === undefined) break;
      const taken = Math.min(left, oldest.frames);
      oldest.frames -= taken;
      left -= taken;
      if (oldest.frames <= 1e-9) this.#waiting.shift();
    }
    this.length = Math.max(0, this.length - (most - left));
    return most - left;
  }

  age(at: number): number {
    return at - (this.#waiting[0]?.at ?? at);
  }
}
