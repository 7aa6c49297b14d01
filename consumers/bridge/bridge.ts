import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import type { Checks } from '#runtime/health-server.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Tracer } from '#runtime/trace.ts';
import { Prerequisite } from '#runtime/until-possible.ts';
import type { Framing } from '#schemas/framing.ts';
import type { TopicTable } from '#schemas/topics.ts';
import type { BridgeArguments } from './arguments.ts';
import type { BridgeTelemetry } from './telemetry.ts';

export interface BridgeOptions extends BridgeArguments {
  readonly broker: Broker;
  readonly topics: TopicTable;
  readonly framing: Framing;
  readonly telemetry: BridgeTelemetry;
  readonly tracer: Tracer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
  /** It cannot go on. */
  readonly onFailed: (error: unknown) => void;
}

/** Writes results of a task elsewhere, in the format of others, until it is stopped. */
export interface Bridge {
  /** Resolves when it has begun; a Kafka that is away is waited for. */
  start(): Promise<void>;
  /** What keeps it from its work. */
  ready(): Checks;
  /** Lets what is under way end, and leaves its group. */
  stop(): Promise<void>;
}

/** What a bridge waits for, as its log says it each time. */
export function bridgePrerequisite(
  state: string,
  { stopping, clock, logger }: Pick<BridgeOptions, 'stopping' | 'clock' | 'logger'>,
): Prerequisite {
  const waits = { event: 'bridge-waits', delayMs: LIMITS.bridgeWaitMs };
  return new Prerequisite(state, { ...waits, stopping, clock, logger });
}
