import { print } from '#consumers/subscriber/print.ts';
import { type Delivery, type Subscription, subscribe } from '#consumers/subscriber/subscribe.ts';
import type { IncomingRecord } from '#runtime/broker.ts';
import { describeError } from '#runtime/errors.ts';
import type { Checks } from '#runtime/health-server.ts';
import type { Prerequisite } from '#runtime/until-possible.ts';
import type { Result } from '#schemas/result.ts';
import { type Bridge, type BridgeOptions, bridgePrerequisite } from './bridge.ts';
import { translate } from './translate.ts';

/** To standard output, a line a frame. It keeps no position: nobody says what a pipe has read. */
export class PipeBridge implements Bridge {
  readonly #options: BridgeOptions;
  readonly #kafka: Prerequisite;
  #subscription: Subscription | undefined;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#kafka = bridgePrerequisite('not in its group yet', options);
  }

  async start(): Promise<void> {
    const { stopping, onFailed } = this.#options;
    const subscription = await this.#kafka.attempt(() => this.#subscribe());
    if (subscription === undefined) return;
    this.#subscription = subscription;
    subscription.ended.catch(onFailed);
    if (stopping.aborted) await subscription.stop();
  }

  ready(): Checks {
    return { kafka: this.#kafka.state };
  }

  async stop(): Promise<void> {
    await this.#subscription?.stop();
  }

  #subscribe(): Promise<Subscription> {
    const { task, telemetry, logger } = this.#options;
    const onUndecodable = ({ partition, offset }: IncomingRecord, error: unknown) => {
      telemetry.count('results-read');
      telemetry.count('dropped-undecodable');
      logger.warn('result-undecodable', { partition, offset, error: describeError(error) });
    };
    return subscribe({ ...this.#options, tasks: [task], onUndecodable }, (result, delivery) =>
      this.#write(result, delivery),
    );
  }

  async #write(result: Result, { traceparent }: Delivery): Promise<void> {
    const { format, telemetry, clock } = this.#options;
    const value = translate(result, format);
    if (typeof value !== 'string') await print(`${Buffer.from(value)}\n`);
    telemetry.count('results-read');
    if (typeof value === 'string') telemetry.count(`dropped-${value}`);
    else telemetry.wrote(result, clock.nowUs(), traceparent);
  }
}
