import type { Bundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import type { Logger } from '#runtime/log.ts';
import type { Tracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { Batcher } from './batch.ts';
import { Committer } from './commit.ts';
import { deadLetterOutcome } from './dead-letter.ts';
import { runDecode } from './decode.ts';
import type { DecodedFrame } from './decoded-frame.ts';
import type { Delivery } from './delivery.ts';
import { Engine } from './engine.ts';
import type { EngineChannel } from './engine-protocol.ts';
import { FaultLog } from './fault-log.ts';
import { Fetch } from './fetch.ts';
import { runInfer } from './infer.ts';
import { Overload } from './overload.ts';
import { Pipeline } from './pipeline.ts';
import { type FrameFindings, resultsOutcome } from './publish.ts';
import type { InferenceSettings } from './settings.ts';
import type { Telemetry } from './telemetry.ts';

/** What a consumer is made of; main.ts gives the real things. */
export interface Parts {
  readonly settings: InferenceSettings;
  readonly bundle: Bundle;
  readonly broker: Broker;
  readonly framing: Framing;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tracer: Tracer;
  readonly telemetry: Telemetry;
  readonly spawnEngine: () => EngineChannel;
  /** Something that only a fresh start can mend. */
  readonly onFailed: (error: unknown) => void;
}

/** Joins the stages; their order is told in pipeline.ts. */
export function assemble(parts: Parts): Pipeline {
  const { settings, bundle, broker, framing, tracer, clock } = parts;
  const { groupId, topics } = settings;
  const topic = topics.frames.name;
  const burial = {
    topic: topics.deadLetters.name,
    framing,
    consumer: groupId,
    bundle,
    nowUs: () => clock.nowUs(),
  };
  const faults = new FaultLog('dead-letter', clock, parts.logger);
  const deadLetter = (delivery: Delivery, error: unknown) => {
    const { partition, offset, key } = delivery.record;
    faults.report({ partition, offset, key: key ?? undefined, error: describeError(error) });
    return deadLetterOutcome(delivery, error, burial);
  };
  const commit = new Committer({
    ...parts,
    intervalMs: settings.commitIntervalMs,
    openTransactor: (partition) => broker.openTransactor({ groupId, topic, partition }),
  });
  const consumer = broker.openConsumer({
    groupId,
    topics: [topic],
    from: 'earliest',
    readCommitted: true,
    commit: 'none',
  });
  const { heads } = settings.engine;
  const overload = new Overload({ ...parts, settings: settings.overload, heads });
  const publishing = { bundle, heads, framing, topics, tracer };
  const publish = (frame: DecodedFrame, found: FrameFindings) =>
    resultsOutcome(frame, found, publishing);
  const skip = (frame: DecodedFrame) =>
    publish(frame, { findings: [], intervals: [], traceparent: frame.traceparent });
  return new Pipeline(
    {
      fetch: new Fetch(consumer, { ...parts, topic, serve: (lane) => commit.serve(lane) }),
      decode: (from, to) => runDecode(from, to, { ...parts, deadLetter, overload, skip }),
      batch: new Batcher(settings.batchFramesMax, clock, parts.telemetry),
      infer: (from, engine) =>
        runInfer(from, {
          ...parts,
          engine,
          overload,
          deadLetter,
          publish,
        }),
      engine: new Engine({ ...parts, spawn: parts.spawnEngine, settings: settings.engine }),
      commit,
      consumer,
    },
    clock,
  );
}
