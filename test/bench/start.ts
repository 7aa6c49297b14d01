import { encodeBitstream } from '#codec/bitstream.ts';
import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import type { Broker } from '#runtime/broker.ts';
import { systemClock } from '#runtime/clock.ts';
import { AgentProcess } from '#test/fixtures/agent-child.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { frameMaker, SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { FrameWriter } from './instruments/frame-writer.ts';
import { markdownTable, readArguments, report, tell } from './instruments/section.ts';
import { median, rounded } from './instruments/statistics.ts';
import { filesOfStart, forgetFiles } from './start/page-cache.ts';

/**
 * From `node main.ts` to the first thing that is of use to anyone:
 *   npm run bench -- start [--rounds 5] [--write]
 *
 * The agent: until its first frame is on its topic (a synthetic camera, whose first picture is
 * drawn in that time). The consumer: until a read-committed reader has the first result of a frame
 * that waits. Cold: the bundle and the largest packages are not in the page cache; warm: started
 * just before. This process does not load ONNX Runtime, which would keep it in memory.
 */
const CONFIG = 'cameras:\n  - id: gate\n    source: synthetic:street\n    fps: 5\n';
const FIRST_TIMEOUT_MS = 120_000;

interface Start {
  /** Until it says that it has started. */
  readonly startedMs: number;
  /** Until its first frame, or result, is there. */
  readonly firstMs: number;
}

interface Round {
  readonly agentCold: Start;
  readonly agentWarm: Start;
  readonly consumerCold: Start;
  readonly consumerWarm: Start;
}

const { rounds, write } = readArguments(5);
const bundle = await loadBundle(SHIPPED_BUNDLE);
const frames = frameMaker(bundle, [greyBitstream()], bundle.manifest.defaultRatePoint);
const files = filesOfStart(SHIPPED_BUNDLE);
const measured: Round[] = [];
let isForgotten = true;

const stack = await startTestStack({ redis: false });
const broker = openBroker(stack.brokers);
try {
  for (let round = 0; round < rounds; round++) {
    const prefix = `bench-${round}`;
    isForgotten = forgetFiles(files) && isForgotten;
    const agentCold = await startAgent(`${prefix}-agent-cold`);
    const agentWarm = await startAgent(`${prefix}-agent-warm`);
    isForgotten = forgetFiles(files) && isForgotten;
    const consumerCold = await startConsumer(`${prefix}-consumer-cold`);
    const consumerWarm = await startConsumer(`${prefix}-consumer-warm`);
    measured.push({ agentCold, agentWarm, consumerCold, consumerWarm });
    tell(
      `round ${round + 1}: agent ${agentCold.firstMs.toFixed(0)} ms cold, ` +
        `${agentWarm.firstMs.toFixed(0)} ms warm; consumer ${consumerCold.firstMs.toFixed(0)} ` +
        `ms cold, ${consumerWarm.firstMs.toFixed(0)} ms warm`,
    );
  }
} finally {
  await broker.close();
  await stack.stop();
}

const rows = (['agentCold', 'agentWarm', 'consumerCold', 'consumerWarm'] as const).map((name) => ({
  name: name.replace(/(Cold|Warm)/, (word) => `, ${word.toLowerCase()}`),
  startedMs: rounded(median(measured.map((round) => round[name].startedMs))),
  firstMs: rounded(median(measured.map((round) => round[name].firstMs))),
}));
report(
  {
    bench: 'start',
    rounds,
    about: [
      'Milliseconds from the start of the process.',
      ...(isForgotten ? [] : ['The page cache could not be emptied: cold is as warm.']),
    ],
    tables: [
      markdownTable(
        ['', 'started', 'first frame or result'],
        rows.map((row) => Object.values(row)),
      ),
    ],
    figures: { rows, isForgotten },
  },
  { write },
);
process.exit(0);

/** A frame of nothing: the time to decode it is not what a start is made of. */
function greyBitstream(): Uint8Array {
  const shape = bundle.latentShape();
  const symbols = new Int32Array(shape.channels * shape.height * shape.width);
  const ratePoint = bundle.manifest.defaultRatePoint;
  const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
  return encodeBitstream({ ...shape, symbols }, tables, { ratePoint });
}

async function startAgent(prefix: string): Promise<Start> {
  const topics = await createTopics(broker, prefix);
  const first = await firstRecord(broker, topics.frames.name);
  const startMs = systemClock.monotonicMs();
  const agent = new AgentProcess({
    ...{ config: CONFIG, brokers: stack.brokers, prefix, bundle: SHIPPED_BUNDLE },
  });
  const startedMs = await timeOf(() => agent.eventsOf('agent-started').length > 0);
  const firstMs = await first.seen;
  await agent.stop();
  return { startedMs: startedMs - startMs, firstMs: firstMs - startMs };
}

async function startConsumer(prefix: string): Promise<Start> {
  const topics = await createTopics(broker, prefix);
  const writer = await FrameWriter.open(broker, {
    ...{ topic: topics.frames.name, cameras: ['gate'], frames },
  });
  await writer.write(1);
  const first = await firstRecord(broker, topics.results.segmentation.name);
  const startMs = systemClock.monotonicMs();
  const consumer = spawnInference(stack.brokers, prefix, { HALFSIGHT_BUNDLE: SHIPPED_BUNDLE });
  const startedMs = await timeOf(() => consumer.output().includes('consumer-started'));
  const firstMs = await first.seen;
  await consumer.stop();
  return { startedMs: startedMs - startMs, firstMs: firstMs - startMs };
}

/** Resolves once it listens; `seen` when the first record has come. */
async function firstRecord(from: Broker, topic: string): Promise<{ seen: Promise<number> }> {
  const first = Promise.withResolvers<number>();
  const reader = from.openConsumer({
    ...{ groupId: `${topic}-first`, topics: [topic], from: 'earliest' },
    ...{ readCommitted: true, commit: 'none' },
  });
  await reader.start({
    onAssigned: () => undefined,
    onRevoked: () => undefined,
    onRecords: () => first.resolve(systemClock.monotonicMs()),
    onFailed: first.reject,
  });
  return { seen: first.promise.finally(() => reader.stop()) };
}

async function timeOf(condition: () => boolean): Promise<number> {
  const endMs = systemClock.monotonicMs() + FIRST_TIMEOUT_MS;
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error('it did not start');
    await systemClock.sleep(5);
  }
  return systemClock.monotonicMs();
}
