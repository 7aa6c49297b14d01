import { isDeepStrictEqual } from 'node:util';
import { defined } from '#runtime/assert.ts';
import type { Cancel, Clock } from '#runtime/clock.ts';
import type { Logger } from '#runtime/log.ts';
import type { EncodedImage } from '../encode.ts';
import type { Journey } from '../journey.ts';
import type { ConsumerLag } from './consumer-lag.ts';
import { fairShares } from './fair-shares.ts';
import { LAW } from './law.ts';
import type { LinkMonitor } from './link-monitor.ts';
import type { Profile, RateBounds } from './profile.ts';
import { RateController } from './rate-controller.ts';

export interface RateControlOptions {
  /** Of the bundle, by index. */
  readonly points: readonly { readonly name: string; readonly typicalBytes: number }[];
  readonly link: Pick<LinkMonitor, 'allowed' | 'look'>;
  /** Undefined: consumers' lag does not count. */
  readonly lag: Pick<ConsumerLag, 'start' | 'stop' | 'shareOf'> | undefined;
  /** Bytes of records' values that the broker has not acknowledged. */
  readonly waitingBytes: () => number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ProfileReport extends Profile {
  /** Since the agent has the camera. */
  readonly changes: number;
}

/**
 * The profiles of all cameras of an agent. The link is shared max-min fairly between those that
 * give way; what the others take is taken off before.
 */
export class RateControl {
  /** By camera id, for the frames that are captured now. */
  readonly ratePoints: ReadonlyMap<string, number>;
  readonly #ratePoints = new Map<string, number>();
  readonly #options: RateControlOptions;
  readonly #controllers = new Map<string, RateController>();
  #cancel: Cancel | undefined;

  constructor(options: RateControlOptions) {
    this.#options = options;
    this.ratePoints = this.#ratePoints;
  }

  start(): void {
    this.#options.lag?.start();
    this.#cancel = this.#options.clock.every(LAW.intervalMs, () => this.#decide());
  }

  stop(): void {
    this.#options.lag?.stop();
    this.#cancel?.();
  }

  /** The camera is wanted so, for the first time or from now on. */
  put(cameraId: string, bounds: RateBounds): void {
    const known = this.#controllers.get(cameraId);
    if (known === undefined) {
      this.#controllers.set(cameraId, this.#open(cameraId, bounds));
      this.#ratePoints.set(cameraId, bounds.finest);
    } else if (!isDeepStrictEqual(known.bounds, bounds)) {
      known.become(bounds);
    }
  }

  /** The camera is not run here any more. */
  forget(cameraId: string): void {
    this.#controllers.delete(cameraId);
    this.#ratePoints.delete(cameraId);
  }

  /** Whether a frame that was captured now is to be encoded. */
  admits(cameraId: string): boolean {
    return this.#controllers.get(cameraId)?.admits() ?? true;
  }

  boundsOf(cameraId: string): RateBounds {
    return defined(this.#controllers.get(cameraId), `the rate of camera ${cameraId}`).bounds;
  }

  /** `recordBytes`: of the record's value. */
  encoded(
    { identity, ratePoint }: Pick<Journey, 'identity' | 'ratePoint'>,
    encoded: Pick<EncodedImage, 'bitstream' | 'ratePoint'>,
    recordBytes: number,
  ): void {
    const controller = this.#controllers.get(identity.cameraId);
    controller?.encoded(encoded.ratePoint ?? ratePoint, encoded.bitstream.length, recordBytes);
  }

  /** Undefined: the camera is not run here. */
  report(cameraId: string): ProfileReport | undefined {
    const controller = this.#controllers.get(cameraId);
    return controller && { ...controller.profile, changes: controller.changes };
  }

  #open(cameraId: string, bounds: RateBounds): RateController {
    const { points, clock, logger } = this.#options;
    const text = ({ ratePoint, framesPerSecond }: Profile) =>
      `${points[ratePoint]?.name} ${Number(framesPerSecond.toFixed(2))}/s`;
    return new RateController({
      ...{ bounds, typicalBytes: points.map(({ typicalBytes }) => typicalBytes), clock },
      onChanged: (from, to, why) => {
        this.#ratePoints.set(cameraId, to.ratePoint);
        const change = { from: text(from), to: text(to), why };
        logger.info('profile-changed', { camera: cameraId, ...change });
      },
    });
  }

  #decide(): void {
    const { link, lag, waitingBytes } = this.#options;
    const controllers = [...this.#controllers];
    const sum = (what: 'used' | 'wanted') =>
      controllers.reduce((total, [, controller]) => total + controller[what], 0);
    link.look(waitingBytes(), { used: sum('used'), wanted: sum('wanted') });
    const givingWay = controllers.filter(([, { bounds }]) => bounds.adaptive);
    const fixed = controllers.filter(([, { bounds }]) => !bounds.adaptive);
    const taken = fixed.reduce((total, [, { used }]) => total + used, 0);
    const isOpen = link.allowed === Number.POSITIVE_INFINITY;
    const shares = isOpen
      ? []
      : fairShares(
          link.allowed - taken,
          givingWay.map(([, { wanted }]) => ROOM * wanted),
        );
    givingWay.forEach(([cameraId, controller], index) => {
      const bytesPerSecond = shares[index] ?? Number.POSITIVE_INFINITY;
      controller.decide({ bytesPerSecond, frameShare: lag?.shareOf(cameraId) ?? 1 });
    });
    for (const [, controller] of fixed) controller.decide(UNLIMITED);
  }
}

/** With less than this above what it wants a camera would not rise to it. */
const ROOM = 1.2;
const UNLIMITED = { bytesPerSecond: Number.POSITIVE_INFINITY, frameShare: 1 };
