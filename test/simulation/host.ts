import type { Cancel, Clock } from '#runtime/clock.ts';
import { everyOn, sleepOn, type VirtualClock } from './virtual-clock.ts';

/** What the wall clock of a machine is off by; processes of one machine share it. */
export interface Machine {
  wallOffsetMs: number;
}

/**
 * One process: its clock, and everything that reaches it from outside.
 *
 *   running <--freeze, thaw--> frozen          kill: from either --> dead
 *
 * Whatever wakes a process, a timer or an answer, comes through `receive`: a frozen process gets it
 * when it is thawed, a dead one never. A promise that nobody settles is how a process dies at an
 * await.
 */
export class Host {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualClock;
  readonly #onCrash: (error: unknown) => void;
  #state: 'running' | 'frozen' | 'dead' = 'running';
  readonly #held: (() => void)[] = [];
  readonly #lastActions: (() => void)[] = [];

  constructor(
    name: string,
    time: VirtualClock,
    machine: Machine = { wallOffsetMs: 0 },
    onCrash: (error: unknown) => void = (error) => {
      throw error;
    },
  ) {
    this.name = name;
    this.#time = time;
    this.#onCrash = onCrash;
    this.clock = new HostClock(this, time, machine);
  }

  get isDead(): boolean {
    return this.#state === 'dead';
  }

  /** An event of this process. What it throws is what a real process would die of. */
  receive(action: () => void): void {
    if (this.#state === 'dead') return;
    if (this.#state === 'frozen') {
      this.#held.push(action);
      return;
    }
    try {
      action();
    } catch (error) {
      this.#onCrash(error);
    }
  }

  /** SIGSTOP, a long pause of the garbage collector, a virtual machine that is moved. */
  freeze(): void {
    if (this.#state === 'running') this.#state = 'frozen';
  }

  /** What was held back comes in its order, each with the promises that it settles. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'running';
    for (const action of this.#held.splice(0)) this.#time.after(0, () => this.receive(action));
  }

  kill(): void {
    if (this.#state === 'dead') return;
    this.#state = 'dead';
    this.#held.length = 0;
    for (const action of this.#lastActions) action();
  }

  /** What the kernel does for a process that is gone: it closes its files. */
  onKilled(action: () => void): void {
    this.#lastActions.push(action);
  }
}

class HostClock implements Clock {
  readonly #host: Host;
  readonly #time: VirtualClock;
  readonly #machine: Machine;
  #lastUs = 0;

  constructor(host: Host, time: VirtualClock, machine: Machine) {
    this.#host = host;
    this.#time = time;
    this.#machine = machine;
  }

  /** Never goes backwards within a process, as the port demands: it stands still meanwhile. */
  nowUs(): number {
    this.#lastUs = Math.max(this.#lastUs, this.#time.nowUs() + this.#machine.wallOffsetMs * 1000);
    return this.#lastUs;
  }

  monotonicMs(): number {
    return this.#time.monotonicMs();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(): Promise<void> {
    return this.sleep(0);
  }

  after(ms: number, action: () => void): Cancel {
    let isCalledOff = false;
    const cancel = this.#time.after(ms, () =>
      this.#host.receive(() => {
        if (!isCalledOff) action();
      }),
    );
    return () => {
      isCalledOff = true;
      cancel();
    };
  }

  every(ms: number, action: () => void): Cancel {
    return everyOn(this, ms, action);
  }
}
