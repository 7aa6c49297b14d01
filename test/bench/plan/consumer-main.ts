import { loadBundle } from '#models/bundle.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import type { Task } from '#schemas/result.ts';
import { topicTable } from '#schemas/topics.ts';
import { holdingOf } from '#test/soak/process-watch.ts';
import { openBroker } from '../instruments/bench-topics.ts';
import { serveParent } from '../instruments/child.ts';
import { costNow } from '../instruments/cost.ts';
import { InProcessConsumer } from '../instruments/in-process-consumer.ts';
import { stubEngine } from '../instruments/stub-engine.ts';
import type { PlanConsumerFigures, PlanConsumerSettings } from './consumer-protocol.ts';
import { childrenOf, processorUs } from './process-cost.ts';

/** The inference consumer in a process of its own, with its engine or with a stub in its place. */
serveParent(async (settings: PlanConsumerSettings) => {
  const { brokers, prefix, partitionCount, heads, threads, engine } = settings;
  const consumer = new InProcessConsumer({
    broker: openBroker(brokers),
    topics: topicTable({ prefix, partitionCount }),
    bundle: await loadBundle(settings.bundleDirectory),
    framing: singleObjectFraming(),
    ...{ heads, threads, batchFramesMax: settings.batchFramesMax },
    ...(engine === undefined ? {} : { spawnEngine: stubEngine(engine) }),
  });
  const last = heads.at(-1) as Task;
  const figures = (): PlanConsumerFigures => ({
    cost: costNow(),
    counts: consumer.telemetry.snapshot(),
    committedMs: consumer.telemetry.timesMs(`results-${last}`),
    engineUs: ofEngine(processorUs),
    residentMib: residentMib(process.pid),
    engineResidentMib: ofEngine(residentMib),
  });
  const figuresAfter = async (frames: number) => {
    await consumer.committed(last, frames);
    return figures();
  };
  return {
    start: () => consumer.start(),
    warm: () => figuresAfter(settings.warmFrames),
    full: () => figuresAfter(settings.fullFrames),
    done: () => figuresAfter(settings.frames),
    look: figures,
    drain: () => consumer.drain(),
  };
});

/** Its only child, if it has one. */
function ofEngine(value: (pid: number) => number): number {
  return childrenOf(process.pid).reduce((sum, pid) => sum + value(pid), 0);
}

function residentMib(pid: number): number {
  return holdingOf(pid, 0).memoryMiB;
}
