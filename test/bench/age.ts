import { loadBundle } from '#models/bundle.ts';
import { defined } from '#runtime/assert.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { singleObjectFraming } from '#schemas/framing.ts';
import { TASKS } from '#schemas/result.ts';
import { spawnInference } from '#test/fixtures/inference-child.ts';
import { until } from '#test/fixtures/until.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { engineMsPerBatch, lastFigures } from './age/engine-time.ts';
import { FrameWatch } from './age/frame-watch.ts';
import {
  idleGoalMs,
  type Quantiles,
  STAGE_NAMES,
  type Stage,
  stageAges,
} from './age/stage-ages.ts';
import { BenchAgent } from './instruments/agent.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { median, rounded } from './instruments/statistics.ts';

/**
 * How old a result is when the subscriber has it, and where the time went:
 *   npm run bench -- age [--rounds 5] [--write]
 *
 * A camera agent (pictures drawn before, one encoder thread), a real Kafka, the inference consumer
 * as users run it, and a read-committed subscriber, all processes of this one machine, so one clock
 * tells all times. First the throughput: ten cameras, faster and faster, until not every frame has
 * its result in time (more than they can take would tell less: encoder and engine, on the same
 * processors, would starve one another). Then, in each round, one camera at 5 fps, and ten cameras
 * at 80 % of that throughput.
 *
 * Idle, 95 of 100 results should be no older than encoder and engine take together (averages of
 * the same run) plus the commit interval plus 20 ms; at 80 % no older than twice the idle ones.
 */
const WARM_SECONDS = 6;
const SECONDS = 20;
const IDLE = { cameraCount: 1, framesPerSecond: 5 };
const CAMERAS = 10;
/** Frames a second of all cameras, and how the search goes on. */
const FIRST_RATE = 8;
const RATE_FACTOR = 1.25;
/** Of the frames that should come in that time; a few are under way at its end. */
const SUSTAINED_SHARE = 0.96;
const LOAD_SHARE = 0.8;
const READY_TIMEOUT_MS = 60_000;
const CAUGHT_UP_AGE_MS = 1_000;
const CATCH_UP_TIMEOUT_MS = 15_000;
/** What runs last: a frame's results are committed together. */
const TASK = defined(TASKS.at(-1), 'the last head');

interface Load {
  readonly cameraCount: number;
  readonly framesPerSecond: number;
}

interface Measured {
  readonly resultsPerSecond: number;
  readonly ages: Record<Stage, Quantiles>;
  readonly encodeMs: number;
  readonly engineMs: number;
  readonly dropped: number;
  /** Of a camera of the load. */
  readonly lateMs: number;
}

interface Round {
  readonly idle: Measured;
  readonly loaded: Measured;
}

const { rounds, write } = readArguments(5);
const pictures = await streetPictures(await loadBundle(SHIPPED_BUNDLE), 16);
const measured: Round[] = [];
const stack = await startTestStack({ redis: false });
const throughput = await findThroughput();
const loadedFps = (LOAD_SHARE * throughput) / CAMERAS;
try {
  for (let round = 0; round < rounds; round++) {
    const idle = await measure(IDLE, `bench-${round}-idle`);
    const load = { cameraCount: CAMERAS, framesPerSecond: loadedFps };
    const loaded = await measure(load, `bench-${round}-loaded`);
    measured.push({ idle, loaded });
    tellMeasured(`round ${round + 1}, idle`, idle);
    tellMeasured(`round ${round + 1}, loaded`, loaded);
  }
} finally {
  await stack.stop();
}

const summary = summarise();
report(
  {
    bench: 'age',
    rounds,
    about: [
      `Milliseconds, ${SECONDS} s; idle: one camera at ${IDLE.framesPerSecond} fps; loaded:`,
      `${CAMERAS} cameras at ${100 * LOAD_SHARE} % of the throughput. Records have whole ms.`,
    ],
    tables: [
      markdownTable(
        ['', 'idle p50', 'idle p95', 'idle p99', '80 % p50', '80 % p95', '80 % p99'],
        STAGE_NAMES.map((stage) => [stage, ...cellsOf('idle', stage), ...cellsOf('loaded', stage)]),
      ),
      markdownTable(
        ['', 'results/s', 'p95, ms', 'goal, ms', ''],
        [
          ['throughput', summary.throughput, '-', '-', '-'],
          ['idle', summary.idlePerSecond, summary.idleP95, summary.idleGoal, summary.idleVerdict],
          [
            `at ${100 * LOAD_SHARE} %`,
            summary.loadedPerSecond,
            summary.loadedP95,
            summary.loadedGoal,
            summary.loadedVerdict,
          ],
        ],
      ),
    ],
    figures: { ...summary, measured },
  },
  { write },
);
process.exit(0);

/** The highest rate tried at which all frames had their results in time. */
async function findThroughput(): Promise<number> {
  let sustained = 0;
  for (let rate = FIRST_RATE; ; rate *= RATE_FACTOR) {
    const load = { cameraCount: CAMERAS, framesPerSecond: rate / CAMERAS };
    const one = await measure(load, `bench-rate-${Math.round(rate)}`);
    tellMeasured(`${rate.toFixed(1)} frames/s`, one);
    const isSustained =
      one.dropped === 0 &&
      one.resultsPerSecond >= SUSTAINED_SHARE * rate &&
      one.ages['capture to subscriber'].p95 < CAUGHT_UP_AGE_MS;
    if (!isSustained) return sustained === 0 ? one.resultsPerSecond : sustained;
    sustained = one.resultsPerSecond;
  }
}

function tellMeasured(name: string, one: Measured): void {
  tell(
    `${name}: ${one.resultsPerSecond.toFixed(1)} results/s, p95 ` +
      `${one.ages['capture to subscriber'].p95.toFixed(0)} ms, encoder ` +
      `${one.encodeMs.toFixed(0)} ms, engine ${one.engineMs.toFixed(0)} ms, dropped ` +
      `${one.dropped}, cameras ${one.lateMs.toFixed(0)} ms late at worst`,
  );
}

async function measure(load: Load, prefix: string): Promise<Measured> {
  const { brokers } = stack;
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix);
  const consumer = spawnInference(brokers, prefix, {
    HALFSIGHT_BUNDLE: SHIPPED_BUNDLE,
    HALFSIGHT_LOG_FORMAT: 'json',
  });
  const watch = new FrameWatch(broker, topics, singleObjectFraming(), TASK);
  const agent = new BenchAgent({
    ...{ brokers, prefix, ...load, bundleDirectory: SHIPPED_BUNDLE },
    ...{ encoder: 'onnx', encoderWorkers: 1, pictures },
  });
  try {
    await watch.start();
    await until(
      () => consumer.output().includes('consumer-started'),
      READY_TIMEOUT_MS,
      'the consumer',
    );
    await agent.start();
    await until(() => watch.count > 0, READY_TIMEOUT_MS, 'the first result');
    await systemClock.sleep(WARM_SECONDS * 1000);
    await caughtUp(watch);
    const before = await agent.figures();
    const startMs = systemClock.monotonicMs();
    watch.forget();
    await systemClock.sleep(SECONDS * 1000);
    const resultsPerSecond = (watch.count / (systemClock.monotonicMs() - startMs)) * 1000;
    const ages = stageAges(watch.times());
    const after = await agent.figures();
    await agent.stop();
    await watch.stop();
    await consumer.stop();
    const figures = defined(lastFigures(consumer.output()), 'the figures of the consumer');
    return {
      resultsPerSecond,
      ages,
      encodeMs: (after.encodeUs - before.encodeUs) / (after.encoded - before.encoded) / 1000,
      engineMs: engineMsPerBatch(figures),
      dropped: after.dropped - before.dropped,
      lateMs: after.lateMs,
    };
  } finally {
    await consumer.kill();
    await broker.close();
  }
}

/** What piled up while the engine was cold is gone; or never will be, which the ages then tell. */
async function caughtUp(watch: FrameWatch): Promise<void> {
  const endMs = systemClock.monotonicMs() + CATCH_UP_TIMEOUT_MS;
  while ((watch.newestAgeMs ?? CAUGHT_UP_AGE_MS) >= CAUGHT_UP_AGE_MS) {
    if (systemClock.monotonicMs() > endMs) return;
    await systemClock.sleep(100);
  }
}

function summarise() {
  const of = (value: (round: Round) => number) => median(measured.map(value));
  const p95 = ({ ages }: Measured) => ages['capture to subscriber'].p95;
  const goalOf = ({ encodeMs, engineMs }: Measured) =>
    idleGoalMs(encodeMs + engineMs, LIMITS.transactionIntervalMs);
  const idleP95 = of(({ idle }) => p95(idle));
  const idleGoal = of(({ idle }) => goalOf(idle));
  const loadedRatio = of(({ loaded, idle }) => p95(loaded) / p95(idle));
  return {
    throughput: rounded(throughput, 1),
    idlePerSecond: rounded(
      of(({ idle }) => idle.resultsPerSecond),
      1,
    ),
    idleP95: rounded(idleP95),
    idleGoal: rounded(idleGoal),
    idleVerdict: verdict(idleP95 <= idleGoal),
    loadedPerSecond: rounded(
      of(({ loaded }) => loaded.resultsPerSecond),
      1,
    ),
    loadedP95: rounded(of(({ loaded }) => p95(loaded))),
    loadedGoal: rounded(2 * idleP95),
    loadedRatio: rounded(loadedRatio, 2),
    loadedVerdict: verdict(loadedRatio <= 2),
  };
}

function cellsOf(kind: 'idle' | 'loaded', stage: Stage): number[] {
  return (['p50', 'p95', 'p99'] as const).map((name) =>
    rounded(median(measured.map((round) => round[kind].ages[stage][name])), 1),
  );
}
