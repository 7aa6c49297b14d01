import type { Clock } from '#runtime/clock.ts';
import { describeError, type ErrorCode, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import { type FleetHooks, Holdings } from './holdings.ts';
import { fairShares, surplusOf } from './placement.ts';
import type { AgentProfile, BeatAnswer, FleetOverview, Registry } from './registry.ts';
import { type Moment, momentOf, Term } from './term.ts';

export interface FleetAgentOptions {
  readonly profile: AgentProfile;
  readonly registry: Registry;
  readonly hooks: FleetHooks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * An agent's part in the fleet: once a second it renews its leases, learns what has changed, takes
 * free cameras up to its fair share and hands on what others have more room for.
 *
 *     no session --join--> in session --the registry ended it--> no session (all cameras lost)
 *
 * A camera is ours while its lease is held and the term runs (`ownsNow`). The term is renewed by
 * an answer, and by a proof that the registry is down; see `Registry` for why. A process that slept
 * through its term knows so at once, before its first beat.
 */
export class FleetAgent {
  readonly #options: FleetAgentOptions;
  readonly #holdings: Holdings;
  readonly #term: Term;
  readonly #over = new AbortController();
  #session: number | undefined;
  #revision = 0;
  #share = 0;
  #isStopping = false;
  /** Told once, not every second. */
  #trouble: ErrorCode | undefined;
  /** The epoch clock, as answered last, and when that came. */
  #epoch = { answeredMs: 0, atMs: 0 };
  #running: Promise<void> = Promise.resolve();

  constructor(options: FleetAgentOptions) {
    this.#options = options;
    this.#holdings = new Holdings(options);
    this.#term = new Term(options.clock);
  }

  start(): void {
    this.#running = this.#run();
  }

  /**
   * Whether a frame of this camera may be published now. To be asked before each publication: the
   * answer is good for this very moment.
   */
  ownsNow(cameraId: string): boolean {
    return this.#holdings.has(cameraId) && this.#term.isRunning();
  }

  /**
   * The epoch of a run that begins now, Unix ms by the registry's clock: above all epochs of
   * earlier owners, below the tokens of later ones. Two runs of one camera begin 1 ms apart.
   */
  epochNow(): number {
    const { answeredMs, atMs } = this.#epoch;
    return answeredMs === 0 ? 0 : Math.floor(answeredMs + this.#options.clock.monotonicMs() - atMs);
  }

  /** Stops all cameras and hands them on. Resolves also while the registry is away. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // Renewed meanwhile: what was captured is still ours to publish.
    await this.#holdings.close();
    this.#over.abort();
    await this.#running;
    if (this.#session === undefined) return;
    await this.#options.registry.leave(this.#session, this.epochNow()).catch((error) => {
      this.#options.logger.warn('fleet-not-left', { error: describeError(error) });
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#over.signal.aborted) {
      const startMs = clock.monotonicMs();
      await this.#round();
      const restMs = LIMITS.fleetBeatIntervalMs - (clock.monotonicMs() - startMs);
      await clock.sleep(Math.max(0, restMs), this.#over.signal);
    }
  }

  async #round(): Promise<void> {
    const asked = momentOf(this.#options.clock);
    try {
      const fleet = await this.#beat();
      this.#cameBack();
      if (fleet !== undefined) await this.#place(fleet);
    } catch (error) {
      this.#failed(error, asked);
    }
    if (!this.#term.isRunning()) this.#holdings.loseAll('expired');
  }

  /** Undefined where the session had ended; the next round opens another. */
  async #beat(): Promise<FleetOverview | undefined> {
    const { registry, profile, clock } = this.#options;
    if (this.#session === undefined) {
      const { session, epochMs } = await registry.join(profile, this.epochNow());
      this.#readEpoch(epochMs);
      this.#session = session;
      this.#revision = 0;
      this.#share = 0;
      this.#options.logger.info('fleet-joined', { session });
    }
    if (this.#holdings.takeStale()) this.#revision = 0;
    const asked = momentOf(clock);
    const gives = this.#holdings.gives;
    const answer = await registry.beat({
      session: this.#session,
      epochMs: this.epochNow(),
      revision: this.#revision,
      share: this.#isStopping ? 0 : this.#share,
      gives,
      live: this.#holdings.takeLive(),
    });
    if (answer === undefined) {
      this.#options.logger.warn('fleet-session-ended', { session: this.#session });
      this.#session = undefined;
      this.#term.end();
      return undefined;
    }
    this.#holdings.given(gives);
    this.#follow(answer, asked);
    return answer.fleet;
  }

  #follow({ epochMs, revision, leases, isRecovering }: BeatAnswer, asked: Moment): void {
    this.#readEpoch(epochMs);
    this.#term.renew(asked);
    // We slept, and the answer is about a time that has passed.
    if (!this.#term.isRunning()) return;
    this.#revision = revision;
    if (leases !== undefined) this.#holdings.follow(leases, isRecovering);
  }

  async #place(fleet: FleetOverview): Promise<void> {
    if (this.#session === undefined || this.#isStopping) return;
    const share = fairShares(fleet).get(this.#session) ?? 0;
    const isMore = share > this.#share && fleet.freeCameras > 0;
    this.#share = share;
    // Not in a second: a camera without an owner should not wait.
    const placed = isMore ? await this.#beat() : fleet;
    if (placed !== undefined && !this.#holdings.isLeaving) this.#handOn(placed);
  }

  #handOn(fleet: FleetOverview): void {
    const owned = this.#holdings.owned;
    const mine = fleet.agents.find(({ session }) => session === this.#session);
    if (mine === undefined) return;
    // Rates that an operator raised may be more than we can do.
    let excess = mine.framesPerSecond - mine.framesPerSecondMax;
    const beyond = owned.filter(({ framesPerSecond }) => {
      if (excess <= 0) return false;
      excess -= framesPerSecond;
      return true;
    });
    const { cameras, framesPerSecondMax } = surplusOf(mine.session, fleet);
    const surplus = owned
      .filter(({ framesPerSecond }) => framesPerSecond <= framesPerSecondMax)
      .slice(0, cameras);
    const given = beyond.length > 0 ? beyond : surplus;
    this.#holdings.release(
      given.map(({ id }) => id),
      'surplus',
    );
  }

  #failed(error: unknown, asked: Moment): void {
    if (!(error instanceof HalfsightError)) throw error;
    if (error.code === 'registry-down') this.#term.prolong(asked);
    if (this.#trouble === error.code) return;
    this.#trouble = error.code;
    this.#options.logger.warn('registry-away', { error: describeError(error) });
  }

  #cameBack(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#options.logger.info('registry-back');
  }

  /** A reading never goes back: its epochs are in use. */
  #readEpoch(answeredMs: number): void {
    const atMs = this.#options.clock.monotonicMs();
    if (answeredMs > this.epochNow()) this.#epoch = { answeredMs, atMs };
  }
}
