import type { IncomingRecord } from '#runtime/broker.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import { frameId } from '#schemas/frame.ts';
import type { LoggedTransaction } from './broker/partition-log.ts';
import { INFERENCE_GROUP, SUBSCRIBER_GROUP } from './consumers.ts';
import type { Fleet, Surroundings, Trouble } from './fleet.ts';
import type { Fault, Plan } from './plan.ts';
import type { Supervised } from './supervised.ts';

const AWAY_MS_MAX = 35_000;
const REPEATED_MAX = 30;
const CLOCK_JUMP_MS_MAX = 3_600_000;
/** Within so many milliseconds of a process's next request: it is under way then, or just done. */
const TRAP_MS = 12;

export function drawTrouble(plan: Plan): Trouble {
  const { enginePermille, encoderPermille } = plan;
  return {
    poisonPermille: plan.poisonPermille,
    sourceFailsPermille: plan.encoderPermille / 4,
    encodeFailsPermille: encoderPermille,
    encoderDiesPermille: encoderPermille / 4,
    diePermille: enginePermille,
    // A hang costs a minute.
    hangPermille: enginePermille / 20,
    failPermille: enginePermille,
    handlerFailsPermille: plan.handlerPermille,
  };
}

/** Whether a record is a frame of the camera whose key it has, and no stray one. */
function isOf(key: string | null | undefined, { headers }: IncomingRecord): boolean {
  return Buffer.from(headers['frame-id'] ?? [])
    .toString()
    .startsWith(`${key}-`);
}

/** Brings down on a fleet what its plan allows, at random, until it is told to end. */
export class Faults {
  readonly #around: Surroundings;
  readonly #fleet: Fleet;
  readonly #random: Random;
  #isOver = false;
  #strayCount = 0;

  constructor(around: Surroundings, fleet: Fleet) {
    this.#around = around;
    this.#fleet = fleet;
    this.#random = around.random.fork('faults');
  }

  begin(): void {
    const { cluster, plan } = this.#around;
    cluster.network.faultPermille = plan.networkPermille;
    if (plan.faults.length > 0) this.#next();
  }

  /** From here on nothing goes wrong. */
  end(): void {
    const { cluster, trouble, journal } = this.#around;
    this.#isOver = true;
    cluster.network.isAway = false;
    cluster.network.faultPermille = 0;
    for (const name of Object.keys(trouble) as (keyof Trouble)[]) trouble[name] = 0;
    for (const each of this.#fleet.all) each.thaw();
    journal.note('world', 'quiet from here on');
  }

  #next(): void {
    const { time, plan } = this.#around;
    // Memoryless, so that faults come in bursts too.
    const waitMs = -Math.log(1 - this.#random.next()) * plan.faultIntervalMs;
    time.after(waitMs, () => {
      if (this.#isOver) return;
      this.#strike(this.#pick(plan.faults));
      this.#next();
    });
  }

  #strike(fault: Fault): void {
    const { agents, inferences, subscribers } = this.#fleet;
    this.#around.count(fault);
    this.#around.journal.note('world', fault);
    const freezeMs = this.#freezeMs();
    const actions: Record<Fault, () => void> = {
      'agent-crash': () => this.#trap(agents, (one) => one.crash()),
      'agent-stop': () => this.#trap(agents, (one) => one.stop()),
      'agent-freeze': () => this.#trap(agents, (one) => one.freeze(freezeMs)),
      'inference-crash': () => this.#trap(inferences, (one) => one.crash()),
      'inference-stop': () => this.#trap(inferences, (one) => one.stop()),
      'inference-freeze': () => this.#trap(inferences, (one) => one.freeze(freezeMs)),
      'subscriber-crash': () => this.#trap(subscribers, (one) => one.crash()),
      'subscriber-stop': () => this.#trap(subscribers, (one) => one.stop()),
      rebalance: () => this.#trap(inferences, () => this.#rebalance()),
      // With an answer of someone on its way, as a rule.
      'broker-away': () => this.#trap(this.#fleet.all, () => this.#goAway()),
      'network-trouble': () => this.#networkTrouble(),
      'clock-jump': () => this.#jump(),
      'stray-records': () => this.#stray(),
      'repeated-frames': () => this.#repeat(),
    };
    actions[fault]();
  }

  /**
   * At any await: half of the time at once, which finds a process wherever it waits; half of the
   * time soon after its next request, which finds it in the middle of something.
   */
  #trap(processes: readonly Supervised[], action: (one: Supervised) => void): void {
    const { cluster, time } = this.#around;
    const one = this.#pick(processes);
    if (this.#random.integer(2) === 0 || one.host === undefined) {
      action(one);
      return;
    }
    const delayMs = this.#random.next() * TRAP_MS;
    const { host } = one;
    cluster.network.onNextCall(host, () => {
      time.after(delayMs, () => {
        if (!this.#isOver && one.host === host) action(one);
      });
    });
  }

  /** Within the session, or beyond the time-outs of session and transaction. */
  #freezeMs(): number {
    const { sessionTimeoutMs, transactionTimeoutMs } = LIMITS;
    const isLong = this.#random.integer(2) === 0;
    const ms = this.#random.integer(sessionTimeoutMs);
    return isLong ? transactionTimeoutMs + ms : ms;
  }

  #rebalance(): void {
    const { cluster } = this.#around;
    const groupId = this.#random.integer(3) === 0 ? SUBSCRIBER_GROUP : INFERENCE_GROUP;
    const group = cluster.group(groupId);
    // Thrown out, a member goes on as if nothing were until its next heartbeat.
    const [memberId] = group.memberIds;
    if (memberId !== undefined && this.#random.integer(2) === 0) group.leave(memberId);
    else group.rebalance();
  }

  #goAway(): void {
    const { cluster, time, journal } = this.#around;
    cluster.network.isAway = true;
    time.after(this.#random.integer(AWAY_MS_MAX), () => {
      cluster.network.isAway = false;
      journal.note('world', 'broker-back');
    });
  }

  #networkTrouble(): void {
    const { cluster, time, plan } = this.#around;
    cluster.network.faultPermille = 100 + this.#random.integer(300);
    time.after(this.#random.integer(5_000), () => {
      cluster.network.faultPermille = this.#isOver ? 0 : plan.networkPermille;
    });
  }

  /** Wall clocks jump; monotonic ones never do. */
  #jump(): void {
    const { cameraMachine, consumerMachine } = this.#fleet;
    const machine = this.#random.integer(2) === 0 ? cameraMachine : consumerMachine;
    machine.wallOffsetMs += this.#random.integer(2 * CLOCK_JUMP_MS_MAX) - CLOCK_JUMP_MS_MAX;
  }

  /**
   * Someone writes to the frame topic who should not, in transactions, which leave gaps in the
   * offsets: nonsense, or frames under a wrong key.
   */
  #stray(): void {
    const { cluster, topics, tiny, time } = this.#around;
    const sequence = this.#strayCount++;
    const key = `cam-0-${this.#random.integer(3)}`;
    const frame = tiny.frame(sequence, { cameraId: 'stray' });
    const whole = tiny.record(sequence, { cameraId: 'stray' });
    const cut = whole.subarray(0, this.#random.integer(60));
    const isWhole = this.#random.integer(2) === 0;
    const headers: Record<string, string> = isWhole ? { 'frame-id': frameId(frame) } : {};
    const timestampMs = Math.floor(time.nowUs() / 1000);
    const record = { key, value: isWhole ? whole : cut, headers, timestampMs };
    const log = cluster.partitionFor(topics.frames.name, key);
    const transaction: LoggedTransaction = { state: 'open' };
    log.append([record], transaction);
    log.mark(transaction, this.#random.integer(2) === 0 ? 'committed' : 'aborted');
  }

  /** An agent whose producer had to be replaced in mid-flight sends a run of frames again. */
  #repeat(): void {
    const { cluster, topics } = this.#around;
    const log = this.#pick(cluster.partitions(topics.frames.name));
    const { records } = log.read(Math.max(0, log.high - REPEATED_MAX), REPEATED_MAX, false);
    const key = this.#pick(records)?.key;
    const ofCamera = records.filter((record) => record.key === key && isOf(key, record));
    const count = 1 + this.#random.integer(REPEATED_MAX);
    log.append(
      ofCamera.slice(-count).map(({ value, headers, timestampMs }) => {
        return { key: key ?? '', value: value ?? new Uint8Array(), headers, timestampMs };
      }),
    );
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.integer(from.length)] as T;
  }
}
