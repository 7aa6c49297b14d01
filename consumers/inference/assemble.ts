import type { Bundle } from '#models/bundle.ts';
import type { Broker } from '#runtime/broker.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { Logger } from '#runtime/log.ts';
import type { Tracer } from '#runtime/trace.ts';
import type { Framing } from '#schemas/framing.ts';
import { Batcher } from './batch.ts';
import { Committer } from './commit.ts';
import { deadLetterOutcome } from './dead-letter.ts';
import { blankFrame } from './decode.ts';
import type { Delivery } from './delivery.ts';
import { Engine } from './engine.ts';
import type { EngineChannel, EngineSettings } from './engine-protocol.ts';
import { EngineSwitch } from './engine-switch.ts';
import { FaultLog } from './fault-log.ts';
import { Fetch } from './fetch.ts';
import type { OwnTraces } from './fetch-trace.ts';
import { HeadWatcher } from './head-watcher.ts';
import { runInfer } from './infer.ts';
import { Overload } from './overload.ts';
import { runParse, type Select } from './parse.ts';
import { type ParsedFrame, wantedHeads } from './parsed-frame.ts';
import { Pipeline, type Stages } from './pipeline.ts';
import { type FrameFindings, resultsOutcome } from './publish.ts';
import type { InferenceSettings } from './settings.ts';
import { ShadowBook } from './shadow-book.ts';
import { runShadowReport } from './shadow-report.ts';
import { SlowFrames } from './slow-frames.ts';
import type { Telemetry } from './telemetry.ts';

export interface AddedHeads {
  readonly directory: string;
  /** Names this process in what it tells of heads in shadow. */
  readonly consumer: string;
  /** Where the live heads do not run. */
  readonly former: EngineSettings;
}

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
  /** Where heads that came after their bundle are looked for; undefined: nowhere. */
  readonly addedHeads?: AddedHeads | undefined;
  /** Which records are analysed; undefined: all. */
  readonly select?: Select | undefined;
  /** Whether active heads run on frames whose cameras did not want them, too; undefined: not. */
  readonly ignoresWishes?: boolean | undefined;
  /** What stands in the headers of each result, beside what always does. */
  readonly resultHeaders?: Readonly<Record<string, string>> | undefined;
  /** Undefined: what is done here belongs to the traces of the frames. */
  readonly ownTraces?: OwnTraces | undefined;
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
    tracer,
  };
  const faults = new FaultLog('dead-letter', clock, parts.logger);
  const deadLetter = (delivery: Delivery, error: unknown, traceparent?: string) => {
    const { partition, offset, key } = delivery.record;
    faults.report({ partition, offset, key: key ?? undefined, error: describeError(error) });
    return deadLetterOutcome(delivery, error, burial, traceparent);
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
  const headsOf = parts.ignoresWishes ? () => heads : wantedHeads(heads);
  const overload = new Overload({ ...parts, settings: settings.overload, heads });
  const publishing = { bundle, heads, framing, topics, tracer, headers: parts.resultHeaders };
  const publish = (frame: ParsedFrame, found: FrameFindings) =>
    resultsOutcome(frame, found, publishing);
  const { engine, attend } = assembleEngine(parts);
  // Frames that are analysed again are old, and not slow.
  const slow = parts.ownTraces === undefined ? new SlowFrames(tracer, clock) : undefined;
  const skip = (frame: ParsedFrame) =>
    publish(frame, {
      findings: [],
      intervals: [],
      added: engine.settings.replacements,
      traceparent: frame.traceparent ?? slow?.begin(frame),
    });
  return new Pipeline(
    {
      fetch: new Fetch(consumer, { ...parts, topic, serve: (lane) => commit.serve(lane) }),
      parse: (from, to) => runParse(from, to, { ...parts, headsOf, deadLetter, overload, skip }),
      batch: new Batcher(batchFramesMax(settings, bundle), clock, parts.telemetry),
      infer: (from, engines) =>
        runInfer(from, engines, {
          ...parts,
          ...{ overload, slow },
          blank: () => blankFrame(bundle),
          deadLetter,
          publish,
        }),
      engine,
      attend,
      commit,
      consumer,
    },
    clock,
  );
}

/** The engine, and what changes its heads while it runs. */
function assembleEngine(parts: Parts): Pick<Stages, 'engine' | 'attend'> {
  const { settings, bundle, clock, logger, addedHeads } = parts;
  const create = (shadows?: ShadowBook) => (engineSettings: EngineSettings) =>
    new Engine({
      ...parts,
      spawn: parts.spawnEngine,
      settings: engineSettings,
      ...(shadows && { shadows: shadows.listenerOf(engineSettings) }),
    });
  if (addedHeads === undefined) {
    return { engine: new EngineSwitch(create(), settings.engine), attend: async () => undefined };
  }
  const book = new ShadowBook({ ...parts, consumer: addedHeads.consumer });
  const fallback = {
    settings: addedHeads.former,
    onUsed: (error: unknown) =>
      logger.error('head-refused', { role: 'live', error: describeError(error) }),
  };
  const hasAdded = settings.engine.replacements !== undefined;
  const engine = new EngineSwitch(create(book), settings.engine, hasAdded ? fallback : undefined);
  const watcher = new HeadWatcher({
    directory: addedHeads.directory,
    bundle,
    engine,
    clock,
    logger,
  });
  const attend = async (stopping: AbortSignal) => {
    const report = runShadowReport({ ...parts, book, topics: settings.topics }, stopping);
    await Promise.all([watcher.run(stopping), report]);
  };
  return { engine, attend };
}

/** As many as the setting says, but their latents must not take more than a batch may. */
function batchFramesMax(settings: InferenceSettings, bundle: Bundle): number {
  const { channels, height, width } = bundle.latentShape();
  const latentBytes = channels * height * width * Int32Array.BYTES_PER_ELEMENT;
  return Math.max(
    1,
    Math.min(settings.batchFramesMax, Math.floor(LIMITS.batchBytesMax / latentBytes)),
  );
}
