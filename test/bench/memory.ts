import { loadBundle } from '#models/bundle.ts';
import { systemClock } from '#runtime/clock.ts';
import { LIMITS } from '#runtime/limits.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { BenchAgent } from './instruments/agent.ts';
import { createTopics, openBroker } from './instruments/bench-topics.ts';
import { bundleFrames, streetPictures } from './instruments/bundle-frames.ts';
import type { Holding } from './instruments/cost.ts';
import { type FrameMaker, frameMaker, SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { FrameWriter } from './instruments/frame-writer.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { median, rounded } from './instruments/statistics.ts';
import { StubConsumer } from './instruments/stub-consumer.ts';

/**
 * What a camera costs in memory, and what a consumer holds whose engine has stalled:
 *   npm run bench -- memory [--rounds 3] [--write]
 *
 * Agent and consumer with few and with many cameras, after as many frames in all; what is alive on
 * the heap after a garbage collection, and the difference by camera (the agent's statistics of 256
 * encoding times are not full by then: 2 KiB at most). The agent's encoder is a stub: its model is
 * the same for any number of cameras. Then a consumer with an engine that never answers, and more
 * waiting on its topic than it may hold: it must stop at its budget.
 */
const [FEW, MANY] = [10, 200];
const PARTITIONS = 8;
const AGENT_SECONDS = 30;
/** Of all cameras together. */
const AGENT_FRAMES_PER_SECOND = 200;
const CONSUMER_FRAMES = 4_000;
/** Ordinary frames would reach the limit of records first: these are as large as frames may be. */
const STALL_FRAME_BYTES = LIMITS.frameRecordBytesMax / 2;
const STALL_FRAMES = Math.ceil((2 * LIMITS.consumerBytesInFlightMax) / STALL_FRAME_BYTES);
/** Nothing more comes in when nothing has for so long. */
const QUIET_MS = 3_000;
const LOOKS = 6;
const LOOK_MS = 2_000;
const KIB = 1024;
const MIB = 1024 * KIB;

interface Stalled {
  readonly waitingBytes: number;
  readonly bytesInFlightMax: number;
  readonly residentBytes: number;
  readonly isPaused: boolean;
}

interface Round {
  readonly agent: readonly [few: Holding, many: Holding];
  readonly consumer: readonly [few: Holding, many: Holding];
  readonly stalled: Stalled;
}

const { rounds, write } = readArguments(3);
const bundle = await loadBundle(SHIPPED_BUNDLE);
const pictures = await streetPictures(bundle, 4);
const streets = await bundleFrames(bundle, pictures);
const large = frameMaker(bundle, streets.bitstreams, bundle.manifest.defaultRatePoint, {
  paddingBytes: STALL_FRAME_BYTES,
});
const pictureBytes = bundle.manifest.input.width * bundle.manifest.input.height * 3;
const measured: Round[] = [];

const stack = await startTestStack({ redis: false });
const { brokers } = stack;
try {
  for (let round = 0; round < rounds; round++) {
    const prefix = `bench-${round}`;
    const one: Round = {
      agent: [await agentWith(FEW, prefix), await agentWith(MANY, prefix)],
      consumer: [await consumerWith(FEW, prefix), await consumerWith(MANY, prefix)],
      stalled: await stalledConsumer(`${prefix}-stalled`),
    };
    measured.push(one);
    const [agents, consumers] = [one.agent, one.consumer].map((holdings) =>
      holdings.map(({ heapBytes }) => (heapBytes / MIB).toFixed(1)).join(' and '),
    );
    tell(
      `round ${round + 1}: heaps of ${agents} MiB in the agent, ${consumers} MiB in the ` +
        `consumer; stalled at ${(one.stalled.bytesInFlightMax / MIB).toFixed(1)} MiB of ` +
        `${(one.stalled.waitingBytes / MIB).toFixed(0)} MiB`,
    );
  }
} finally {
  await stack.stop();
}

const of = (value: (round: Round) => number) => rounded(median(measured.map(value)) / MIB, 1);
const figures = {
  agent: heapsOf('agent'),
  consumer: heapsOf('consumer'),
  stalledMib: of(({ stalled }) => stalled.bytesInFlightMax),
  budgetMib: LIMITS.consumerBytesInFlightMax / MIB,
  waitingMib: of(({ stalled }) => stalled.waitingBytes),
  stalledResidentMib: of(({ stalled }) => stalled.residentBytes),
  isBounded: measured.every(({ stalled }) => isBounded(stalled)),
};
report(
  {
    bench: 'memory',
    rounds,
    about: [
      `${FEW} and ${MANY} cameras. Heap: objects after a collection, the least of the rounds. In`,
      `the agent a camera has two pictures of ${rounded(pictureBytes / KIB)} KiB at most besides:`,
      'one encoded, one waiting. Stalled: record bytes that a consumer holds at most.',
    ],
    tables: [
      markdownTable(
        ['', `heap, ${FEW} cameras, MiB`, `heap, ${MANY} cameras, MiB`, 'a camera, KiB'],
        [
          ['agent', ...Object.values(figures.agent)],
          ['consumer', ...Object.values(figures.consumer)],
        ],
      ),
      markdownTable(
        ['stalled, MiB', 'budget, MiB', 'bound', 'waiting on the topic, MiB', 'resident, MiB'],
        [
          [
            figures.stalledMib,
            figures.budgetMib,
            verdict(figures.isBounded),
            figures.waitingMib,
            figures.stalledResidentMib,
          ],
        ],
      ),
    ],
    figures,
  },
  { write },
);
process.exit(0);

/** The least of all rounds: in some of them Node holds on to megabytes of its start. */
function heapsOf(process: 'agent' | 'consumer') {
  const least = (which: 0 | 1) =>
    Math.min(...measured.map((round) => round[process][which].heapBytes));
  const [few, many] = [least(0), least(1)];
  return {
    fewMib: rounded(few / MIB, 1),
    manyMib: rounded(many / MIB, 1),
    kibPerCamera: rounded((many - few) / (MANY - FEW) / KIB, 1),
  };
}

/** A consumer that was never full has not shown that it stops. */
function isBounded({ bytesInFlightMax, waitingBytes, isPaused }: Stalled): boolean {
  const budget = LIMITS.consumerBytesInFlightMax;
  return isPaused && bytesInFlightMax <= budget && waitingBytes > budget;
}

async function agentWith(cameraCount: number, round: string): Promise<Holding> {
  const prefix = `${round}-agent-${cameraCount}`;
  const broker = openBroker(brokers);
  await createTopics(broker, prefix, PARTITIONS);
  await broker.close();
  const agent = new BenchAgent(
    {
      ...{ brokers, prefix, bundleDirectory: SHIPPED_BUNDLE, cameraCount },
      framesPerSecond: AGENT_FRAMES_PER_SECOND / cameraCount,
      encoder: 'stub',
      encoderWorkers: 1,
      pictures,
    },
    ['--expose-gc'],
  );
  await agent.start();
  await systemClock.sleep(AGENT_SECONDS * 1000);
  const least = await leastHolding(agent);
  await agent.stop();
  return least;
}

/** Of some looks: each finds something on its way, and megabytes of the start go late. */
async function leastHolding(child: BenchAgent | StubConsumer): Promise<Holding> {
  const holdings: Holding[] = [];
  while (holdings.length < LOOKS) {
    holdings.push((await child.figures()).holding);
    await systemClock.sleep(LOOK_MS);
  }
  return holdings.reduce((least, next) => (next.heapBytes < least.heapBytes ? next : least));
}

async function consumerWith(cameraCount: number, round: string): Promise<Holding> {
  const prefix = `${round}-consumer-${cameraCount}`;
  const names = Array.from({ length: cameraCount }, (_, index) => `camera-${index}`);
  return withConsumer(prefix, streets, names, 'sleep', async (consumer, writer) => {
    await writer.write(CONSUMER_FRAMES);
    for (;;) {
      const { committedMs } = await consumer.figures();
      if (committedMs.length >= CONSUMER_FRAMES) return leastHolding(consumer);
      await systemClock.sleep(500);
    }
  });
}

async function stalledConsumer(prefix: string): Promise<Stalled> {
  const names = Array.from({ length: 64 }, (_, index) => `camera-${index}`);
  return withConsumer(prefix, large, names, 'stall', async (consumer, writer) => {
    await writer.write(STALL_FRAMES);
    let [fetched, sinceMs] = [-1, systemClock.monotonicMs()];
    for (;;) {
      const figures = await consumer.figures();
      if (figures.framesFetched !== fetched) {
        [fetched, sinceMs] = [figures.framesFetched, systemClock.monotonicMs()];
      }
      if (fetched > 0 && systemClock.monotonicMs() - sinceMs > QUIET_MS) {
        return {
          waitingBytes: STALL_FRAMES * STALL_FRAME_BYTES,
          bytesInFlightMax: figures.bytesInFlightMax,
          residentBytes: figures.holding.residentBytes,
          isPaused: figures.partitionsPaused === figures.lanes,
        };
      }
      await systemClock.sleep(200);
    }
  });
}

async function withConsumer<T>(
  prefix: string,
  frames: FrameMaker,
  cameras: readonly string[],
  kind: 'sleep' | 'stall',
  measure: (consumer: StubConsumer, writer: FrameWriter) => Promise<T>,
): Promise<T> {
  const broker = openBroker(brokers);
  const topics = await createTopics(broker, prefix, PARTITIONS);
  const consumer = new StubConsumer(
    {
      ...{ brokers, prefix, partitionCount: PARTITIONS, bundleDirectory: SHIPPED_BUNDLE },
      batchFramesMax: LIMITS.batchFramesMax,
      engine: kind === 'stall' ? { kind } : { kind, msPerFrame: 1 },
    },
    ['--expose-gc'],
  );
  try {
    const writer = await FrameWriter.open(broker, {
      topic: topics.frames.name,
      cameras,
      frames,
      recordsPerSend: kind === 'stall' ? 5 : 200,
    });
    await consumer.start();
    return await measure(consumer, writer);
  } finally {
    await consumer.end();
    await broker.close();
  }
}
