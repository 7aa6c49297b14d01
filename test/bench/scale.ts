import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { streetFrames } from './instruments/bundle-frames.ts';
import { evenCameras, FrameWriter } from './instruments/frame-writer.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { efficiency, median, rateWithin, rounded } from './instruments/statistics.ts';
import { StubConsumer } from './instruments/stub-consumer.ts';

/**
 * Whether twice the consumers do twice the work:
 *   npm run bench -- scale [--rounds 5] [--write]
 *
 * One, two and four consumer processes of one group, each with an engine that sleeps where a GPU
 * would compute, so that processors are not what is measured. All else is real: decoding of real
 * latents, exactly-once commits, a real broker; each partition has the same number of cameras. The
 * consumers have their partitions before the frames are written, and the rate is that of the
 * middle of the run. Efficiency is throughput(n) over n times throughput(1) of the same round.
 */
const GOAL = 0.95;
const COUNTS = [1, 2, 4];
const PARTITIONS = 8;
const CAMERAS_PER_PARTITION = 4;
const MS_PER_FRAME = 20;
/** A consumer's; so that all runs last equally long. */
const FRAMES_PER_CONSUMER = 768;
/** The lanes are full after the first and run dry in the last part. */
const [FROM, TO] = [0.2, 0.85];
const READY_TIMEOUT_MS = 60_000;

interface Measured {
  readonly framesPerSecond: number;
  /** Processor time a frame, of one consumer's main thread, on average. */
  readonly mainUs: number;
  readonly writtenPerSecond: number;
}

const { rounds, write } = readArguments(5);
const frames = await streetFrames(8);
const measured = new Map<number, Measured[]>(COUNTS.map((count) => [count, []]));

const stack = await startTestStack({ redis: false });
try {
  for (let round = 0; round < rounds; round++) {
    for (const count of COUNTS) {
      const one = await measure(count, `bench-${round}-${count}`);
      measured.get(count)?.push(one);
      tell(
        `round ${round + 1}, ${count} consumers: ${one.framesPerSecond.toFixed(1)} frames/s, ` +
          `main thread ${one.mainUs.toFixed(0)} us a frame, written at ` +
          `${one.writtenPerSecond.toFixed(0)}`,
      );
    }
  }
} finally {
  await stack.stop();
}

const rows = COUNTS.map(rowOf);
report(
  {
    bench: 'scale',
    rounds,
    about: [
      `Engines sleep ${MS_PER_FRAME} ms a frame: ${1000 / MS_PER_FRAME} frames/s a consumer at`,
      `best. ${PARTITIONS} partitions, ${CAMERAS_PER_PARTITION} cameras in each, batches of up to`,
      `${LIMITS.batchFramesMax}, ${FRAMES_PER_CONSUMER} frames for each consumer.`,
    ],
    tables: [
      markdownTable(
        [
          'consumers',
          'frames/s',
          'efficiency',
          `goal ${GOAL}`,
          'of what the engines can',
          'main thread, us a frame',
          'written, frames/s',
        ],
        rows.map((row) => Object.values(row)),
      ),
    ],
    figures: { goal: GOAL, msPerFrame: MS_PER_FRAME, rows },
  },
  { write },
);
process.exit(0);

async function measure(count: number, prefix: string): Promise<Measured> {
  const { brokers } = stack;
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix, PARTITIONS);
  const consumers = Array.from(
    { length: count },
    () =>
      new StubConsumer({
        ...{ brokers, prefix, partitionCount: PARTITIONS },
        bundleDirectory: frames.bundle.directory,
        batchFramesMax: LIMITS.batchFramesMax,
        engine: { kind: 'sleep', msPerFrame: MS_PER_FRAME },
      }),
  );
  try {
    await Promise.all(consumers.map((consumer) => consumer.start()));
    await evenlyAssigned(consumers);
    const writer = await FrameWriter.open(broker, {
      topic: topics.frames.name,
      cameras: evenCameras(PARTITIONS, CAMERAS_PER_PARTITION),
      frames,
    });
    const wanted = FRAMES_PER_CONSUMER * count;
    const before = await Promise.all(consumers.map((consumer) => consumer.figures()));
    const writtenPerSecond = await writer.write(wanted);
    const after = await committed(consumers, wanted);
    const mainUs = after.reduce(
      (sum, { cost }, index) => sum + cost.threadUs - (before[index]?.cost.threadUs ?? 0),
      0,
    );
    const committedMs = after.flatMap((figures) => figures.committedMs);
    const framesPerSecond = rateWithin(committedMs, FROM, TO);
    return { framesPerSecond, mainUs: mainUs / wanted, writtenPerSecond };
  } finally {
    await Promise.all(consumers.map((consumer) => consumer.end()));
    await broker.close();
  }
}

/** Until the group has settled and every member has its share. */
async function evenlyAssigned(consumers: readonly StubConsumer[]): Promise<void> {
  const endMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  while (systemClock.monotonicMs() < endMs) {
    const all = await Promise.all(consumers.map((consumer) => consumer.figures()));
    if (all.every(({ lanes }) => lanes === PARTITIONS / consumers.length)) return;
    await systemClock.sleep(200);
  }
  throw new Error('the partitions were not shared evenly');
}

async function committed(consumers: readonly StubConsumer[], wanted: number) {
  for (;;) {
    const all = await Promise.all(consumers.map((consumer) => consumer.figures()));
    const total = all.reduce((sum, { committedMs }) => sum + committedMs.length, 0);
    if (total >= wanted) return all;
    await systemClock.sleep(500);
  }
}

function rowOf(count: number) {
  const runs = measured.get(count) ?? [];
  const ofOne = measured.get(1) ?? [];
  const efficiencies = runs.map(({ framesPerSecond }, round) =>
    efficiency(framesPerSecond, ofOne[round]?.framesPerSecond ?? Number.NaN, count),
  );
  const framesPerSecond = median(runs.map((run) => run.framesPerSecond));
  return {
    consumers: count,
    framesPerSecond: rounded(framesPerSecond, 1),
    efficiency: rounded(median(efficiencies), 3),
    goal: verdict(median(efficiencies) >= GOAL),
    ofEngines: rounded((framesPerSecond * MS_PER_FRAME) / 1000 / count, 3),
    mainUs: rounded(median(runs.map((run) => run.mainUs))),
    writtenPerSecond: rounded(median(runs.map((run) => run.writtenPerSecond))),
  };
}
