import { loadBundle } from '#models/bundle.ts';
import { assert } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TRACEPARENT_HEADER } from '#runtime/trace.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { frameBill } from './agent/frame-bill.ts';
import { BenchAgent } from './instruments/agent.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { bundleFrames, streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { evenCameras, FrameWriter } from './instruments/frame-writer.ts';
import { type Observed, scrape } from './instruments/observed.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { median, medianRatio, rateWithin, rounded } from './instruments/statistics.ts';
import { StubConsumer } from './instruments/stub-consumer.ts';
import { startOtlpDrain } from './tracing/otlp-drain.ts';

/**
 * What it costs to look at the pipeline while it works:
 *   npm run bench -- tracing [--rounds 5] [--consumer | --device | --agent] [--write]
 *
 *   off        no tracing, and nobody reads the metrics (they are counted all the same)
 *   off again  the same once more: what differs is what the machine does
 *   1 %        tracing as it comes: the agent's default ratio, spans exported over HTTP
 *   100 %      every frame
 *   metrics    no tracing; metrics are read once a second, which is often
 *
 * All take turns in each round, each in a process of its own, on a real Kafka. The consumer has a
 * backlog and an engine that costs no processor time, the agent an encoder for nothing: so all that
 * is left is the work that spans and metrics are added to: with a model a frame takes ten times as
 * long and more. Such a consumer is as fast as the machine has time for it, which differs by more
 * than what is looked for; so there is also one whose engine takes as long as a GPU might, which it
 * keeps busy or not. 1 % and metrics may take 1 % of the throughput each. What the main thread has
 * to do for a traced frame follows from 100 %, and what that is at 1 %, more exactly than from
 * 1 % itself.
 */
const GOAL = 0.99;
const MODES = ['off', 'off again', '1 %', '100 %', 'metrics'] as const;
type Mode = (typeof MODES)[number];
const RATIOS: Readonly<Record<Mode, number>> = {
  ...{ off: 0, 'off again': 0, '1 %': 0.01, '100 %': 1, metrics: 0 },
};
const HAS_GOAL: readonly Mode[] = ['1 %', 'metrics'];
const SCRAPE_INTERVAL_MS = 1_000;

const PARTITIONS = 8;
/** Each look costs what is looked at. */
const LOOK_MS = 500;
/** The engine sleeps so long for a frame. */
const CONSUMERS = {
  consumer: { msPerFrame: 0.05, frameCount: 24_000 },
  device: { msPerFrame: 1, frameCount: 6_000 },
} as const;
/** Before it what runs is compiled; at the end batches are smaller. */
const FROM = 0.5;
const TO = 0.95;

const AGENT = { cameraCount: 60, framesPerSecond: 15 } as const;
const WARM_SECONDS = 4;
const SECONDS = 6;

interface Measured {
  readonly framesPerSecond: number;
  /** Processor time of the main thread, a frame. */
  readonly mainUs: number;
}

const { rounds, write, flags } = readArguments(5, ['consumer', 'device', 'agent']);
const bundle = await loadBundle(SHIPPED_BUNDLE);
const pictures = await streetPictures(bundle, 8);
const frames = await bundleFrames(bundle, pictures);
const drain = await startOtlpDrain();
const programs = {
  consumer: (mode: Mode, prefix: string) => measureConsumer(CONSUMERS.consumer, mode, prefix),
  device: (mode: Mode, prefix: string) => measureConsumer(CONSUMERS.device, mode, prefix),
  agent: measureAgent,
} as const;
const wanted = (['consumer', 'device', 'agent'] as const).filter(
  (one) => flags.size === 0 || flags.has(one),
);
const measured = new Map<string, Measured[]>();

const stack = await startTestStack({ redis: false });
try {
  for (let round = 0; round < rounds; round++) {
    for (const program of wanted) {
      for (const mode of turned(MODES, round)) {
        const topicPrefix = `bench-${program}-${round}-${MODES.indexOf(mode)}`;
        const one = await programs[program](mode, topicPrefix);
        const key = `${program} ${mode}`;
        measured.set(key, [...(measured.get(key) ?? []), one]);
        tell(
          `round ${round + 1}, ${key}: ${one.framesPerSecond.toFixed(0)} frames/s, main thread ` +
            `${one.mainUs.toFixed(1)} us`,
        );
      }
    }
  }
} finally {
  await stack.stop();
  drain.close();
}
assert(drain.bytes() > 0, 'spans were exported');

const rows = wanted.flatMap((program) => MODES.map((mode) => rowOf(program, mode)));
const traced = wanted.map(tracedRowOf);
report(
  {
    bench: 'tracing',
    rounds,
    about: [
      `${CONSUMERS.consumer.frameCount} frames wait for the consumer; device: the same, whose`,
      `engine takes ${CONSUMERS.device.msPerFrame} ms a frame. The agent has`,
      `${AGENT.cameraCount} cameras at ${AGENT.framesPerSecond} fps: it is not busy all the time.`,
    ],
    tables: [
      markdownTable(
        ['', 'frames/s', 'ratio to off', 'main thread, us a frame', `goal ${GOAL}`],
        rows.map((row) => Object.values(row)),
      ),
      markdownTable(
        ['', 'a traced frame more, us', 'of the main thread at 1 %, %'],
        traced.map((row) => Object.values(row)),
      ),
    ],
    figures: { goal: GOAL, rows, traced },
  },
  { write },
);
process.exit(0);

/** So that none is always the first of its round. */
function turned<T>(all: readonly T[], by: number): readonly T[] {
  return all.map((_, index) => all[(index + by) % all.length] as T);
}

function observedAs(mode: Mode): Observed {
  return {
    otlpUrl: RATIOS[mode] === 0 ? undefined : drain.url,
    hasMetrics: mode === 'metrics',
  };
}

async function measureConsumer(
  { msPerFrame, frameCount }: (typeof CONSUMERS)[keyof typeof CONSUMERS],
  mode: Mode,
  prefix: string,
): Promise<Measured> {
  const { brokers } = stack;
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix, PARTITIONS);
  const writer = await FrameWriter.open(broker, {
    topic: topics.frames.name,
    ...{ cameras: evenCameras(PARTITIONS, 2), frames, headers: headersFor(RATIOS[mode]) },
  });
  await writer.write(frameCount);
  const consumer = new StubConsumer({
    ...{ brokers, prefix, partitionCount: PARTITIONS, bundleDirectory: bundle.directory },
    batchFramesMax: LIMITS.batchFramesMax,
    engine: { kind: 'sleep', msPerFrame },
    observed: observedAs(mode),
  });
  try {
    const stopScraping = scrape(await consumer.metrics(), SCRAPE_INTERVAL_MS);
    await consumer.start();
    const warm = await committed(consumer, FROM * frameCount);
    const end = await committed(consumer, frameCount);
    stopScraping();
    const work = end.committedMs.length - warm.committedMs.length;
    return {
      framesPerSecond: rateWithin(end.committedMs, FROM, TO),
      mainUs: (end.cost.threadUs - warm.cost.threadUs) / work,
    };
  } finally {
    await consumer.end();
    await broker.close();
  }
}

/** Each nth frame is sampled. */
function headersFor(ratio: number): (written: number) => Record<string, string> {
  const every = ratio === 0 ? Number.POSITIVE_INFINITY : Math.round(1 / ratio);
  return (written) => {
    if (written % every !== 0 || ratio === 0) return {};
    const traceId = (written + 1).toString(16).padStart(32, '0');
    return { [TRACEPARENT_HEADER]: `00-${traceId}-b7ad6b7169203331-01` };
  };
}

async function committed(consumer: StubConsumer, count: number) {
  for (;;) {
    const figures = await consumer.figures();
    if (figures.committedMs.length >= count) return figures;
    await systemClock.sleep(LOOK_MS);
  }
}

async function measureAgent(mode: Mode, prefix: string): Promise<Measured> {
  const { brokers } = stack;
  const broker = openBroker(brokers);
  await createTopics(broker, prefix);
  await broker.close();
  const agent = new BenchAgent({
    ...{ ...AGENT, brokers, prefix, bundleDirectory: SHIPPED_BUNDLE, pictures },
    ...{ encoder: 'stub', encoderWorkers: 1, observed: observedAs(mode) },
    traceSampleRatio: RATIOS[mode],
  });
  const stopScraping = scrape(await agent.metrics(), SCRAPE_INTERVAL_MS);
  await agent.start();
  await systemClock.sleep(WARM_SECONDS * 1000);
  const before = await agent.figures();
  await systemClock.sleep(SECONDS * 1000);
  const after = await agent.figures();
  stopScraping();
  await agent.stop();
  return frameBill(before, after);
}

function figuresOf(program: string, mode: Mode, value: (figures: Measured) => number) {
  return (measured.get(`${program} ${mode}`) ?? []).map(value);
}

function rowOf(program: string, mode: Mode) {
  const perSecond = (one: Mode) => figuresOf(program, one, (figures) => figures.framesPerSecond);
  const ratio = medianRatio(perSecond(mode), perSecond('off'));
  return {
    name: `${program}, ${mode}`,
    framesPerSecond: rounded(median(perSecond(mode))),
    ratio: rounded(ratio, 3),
    mainUs: rounded(median(figuresOf(program, mode, ({ mainUs }) => mainUs)), 1),
    goal: HAS_GOAL.includes(mode) ? verdict(ratio >= GOAL) : '',
  };
}

function tracedRowOf(program: string) {
  const of = (mode: Mode) => median(figuresOf(program, mode, ({ mainUs }) => mainUs));
  const moreUs = of('100 %') - of('off');
  return {
    name: program,
    moreUs: rounded(moreUs, 1),
    percentAtDefault: rounded((100 * RATIOS['1 %'] * moreUs) / of('off'), 2),
  };
}
