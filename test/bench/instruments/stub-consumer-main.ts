import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { topicTable } from '#schemas/topics.ts';
import { openBroker } from './bench-topics.ts';
import { serveParent } from './child.ts';
import { costNow, holdingNow } from './cost.ts';
import { InProcessConsumer } from './in-process-consumer.ts';
import { serveMetrics, startTracer } from './observed.ts';
import type { StubConsumerFigures, StubConsumerSettings } from './stub-consumer-protocol.ts';
import { stubEngine } from './stub-engine.ts';

/** How often what is in flight is looked at. */
const LOOK_MS = 5;

serveParent(async (settings: StubConsumerSettings) => {
  const { brokers, prefix, partitionCount, batchFramesMax } = settings;
  const consumer = new InProcessConsumer({
    broker: openBroker(brokers),
    topics: topicTable({ prefix, partitionCount }),
    bundle: await loadBundle(settings.bundleDirectory),
    framing: singleObjectFraming(),
    batchFramesMax,
    spawnEngine: stubEngine(settings.engine),
    tracer: await startTracer('halfsight-inference', settings.observed),
  });
  const { telemetry } = consumer;
  const metricsAddress = await serveMetrics([telemetry], settings.observed);
  const gauge = (name: string) => telemetry.snapshot()[name] ?? 0;
  let bytesInFlightMax = 0;
  if (settings.engine.kind === 'stall') {
    systemClock.every(LOOK_MS, () => {
      bytesInFlightMax = Math.max(bytesInFlightMax, gauge('bytes-in-flight'));
    });
  }
  const toWallMs = systemClock.nowUs() / 1000 - systemClock.monotonicMs();
  const figures = (): StubConsumerFigures => ({
    lanes: gauge('lanes'),
    bytesInFlightMax,
    partitionsPaused: gauge('partitions-paused-now'),
    committedMs: telemetry.timesMs('results-detection').map((ms) => ms + toWallMs),
    framesFetched: telemetry.timesMs('frames-fetched').length,
    cost: costNow(),
    holding: holdingNow(),
  });
  return { start: () => consumer.start(), figures, metrics: () => metricsAddress };
});
