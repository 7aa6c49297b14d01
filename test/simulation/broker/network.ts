import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Random } from '#runtime/random.ts';
import type { Host } from '../host.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** How long a request or an answer travels. */
const LATENCY_MS_MAX = 6;
/** After its sender has given it up, a request may still be waiting in a socket of the broker. */
const LATE_MS_MAX = 80;

/**
 * The way between processes and brokers. A request may be lost, or come late, or its answer may be
 * lost: the caller knows only that it failed, never which of them it was.
 */
export class Network {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  /** The brokers are down, or nothing gets through to them. */
  isAway = false;
  /** Of a thousand requests, so many go wrong. */
  faultPermille = 0;
  readonly #traps = new Map<Host, () => void>();

  constructor(clock: VirtualClock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether one more thing goes wrong. */
  isFaulty(): boolean {
    return this.faultPermille > 0 && this.#random.integer(1000) < this.faultPermille;
  }

  /** Calls once, when this process sends its next request. */
  onNextCall(host: Host, action: () => void): void {
    this.#traps.set(host, action);
  }

  /** Sends a request; rejects with `broker-unavailable`, or with what `execute` throws. */
  call<T>(host: Host, execute: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (host.isDead) return;
      this.#spring(host);
      const fail = () => reject(new HalfsightError('broker-unavailable', 'no answer.'));
      const answer = (action: () => void) => this.#answer(host, action, fail);
      const arrive = () => {
        if (this.isAway) {
          answer(fail);
          return;
        }
        const settle = async () => await execute();
        settle().then(
          (value) => answer(() => resolve(value)),
          (error: unknown) => answer(() => reject(error)),
        );
      };
      if (!this.isFaulty()) {
        this.#clock.after(this.#latencyMs(), arrive);
        return;
      }
      const isLost = this.#random.integer(2) === 0;
      const failAfterMs = this.#failureMs();
      this.#clock.after(failAfterMs, () => host.receive(fail));
      if (!isLost) this.#clock.after(failAfterMs + this.#random.integer(LATE_MS_MAX), arrive);
    });
  }

  #answer(host: Host, action: () => void, fail: () => void): void {
    const isLost = this.isAway || this.isFaulty();
    const delayMs = isLost ? this.#failureMs() : this.#latencyMs();
    this.#clock.after(delayMs, () => host.receive(isLost ? fail : action));
  }

  #spring(host: Host): void {
    const action = this.#traps.get(host);
    this.#traps.delete(host);
    action?.();
  }

  #latencyMs(): number {
    return this.#random.next() * LATENCY_MS_MAX;
  }

  /** Most failures are a connection that is reset; some a time-out. */
  #failureMs(): number {
    return this.#random.integer(20) === 0
      ? LIMITS.requestTimeoutMs
      : 1 + this.#random.integer(LIMITS.connectionTimeoutMs / 10);
  }
}
