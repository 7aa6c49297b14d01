import type { Provider } from '#models/session.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS, type Task } from '#schemas/result.ts';
import { startTestStack } from '#test/integration/start-stack.ts';
import { runBareLoop } from './consumer/bare-loop.ts';
import type { BareLoopFigures, BareLoopSettings } from './consumer/bare-loop-protocol.ts';
import { runEngineAlone } from './consumer/engine-alone.ts';
import { runWholeConsumer, type WholeConsumerFigures } from './consumer/whole-consumer.ts';
import { streetFrames } from './instruments/bundle-frames.ts';
import { markdownTable, readArguments, report, tell, verdict } from './instruments/section.ts';
import { median, medianRatio, rounded } from './instruments/statistics.ts';

/**
 * What the pipeline costs beside the model:
 *   npm run bench -- consumer [--rounds 5] [--sweep] [--cuda | --tensorrt] [--write]
 *
 *   consumer      the whole inference consumer with the shipped bundle, exactly once, its settings
 *                 as they come, on a backlog on a real Kafka: fetch to commit
 *   engine alone  its engine process, fed from memory through the same pipe
 *   bare loop     ONNX Runtime in a loop on latents that are decoded and packed already, in one
 *                 process without any pipe: nobody can be faster with these sessions
 *
 * All have the same latents, batch size, heads, threads (1) and reading of the outputs, and take
 * turns in each round; that they found the same is checked. With `--sweep` also other batch sizes,
 * partitions and heads; with `--cuda` or `--tensorrt` all three on a GPU, with batches for one. The
 * consumer should reach 0.95 of the bare loop. On a machine of few cores the broker takes its share
 * of the same processors, which the bare loop has to itself.
 */
const GOAL = 0.95;
const PICTURES = 16;
/** A multiple of pictures times cameras, so that all pictures come equally often. */
const FRAMES = 768;

interface Variant {
  readonly name: string;
  readonly partitionCount: number;
  readonly camerasPerPartition: number;
  readonly batchFrames: number;
  readonly heads: readonly Task[];
}

interface Round {
  readonly consumer: WholeConsumerFigures;
  readonly engine: BareLoopFigures;
  readonly bare: BareLoopFigures;
}

const { rounds, write, flags } = readArguments(5, ['sweep', 'cuda', 'tensorrt']);
const provider: Provider = flags.has('tensorrt') ? 'tensorrt' : flags.has('cuda') ? 'cuda' : 'cpu';
const BATCH = provider === 'cpu' ? LIMITS.batchFramesCpuMax : LIMITS.batchFramesMax;
const AS_IT_COMES: Variant = {
  name: `batch ${BATCH}, 8 partitions, ${TASKS.length} heads`,
  partitionCount: 8,
  camerasPerPartition: 2,
  batchFrames: BATCH,
  heads: TASKS,
};
const SWEEP: readonly Variant[] = [
  ...[1, 4, 8].map((batchFrames) => ({
    ...AS_IT_COMES,
    name: `batch ${batchFrames}`,
    batchFrames,
  })),
  { ...AS_IT_COMES, name: '1 partition', partitionCount: 1, camerasPerPartition: 16 },
  { ...AS_IT_COMES, name: '4 partitions', partitionCount: 4, camerasPerPartition: 4 },
  { ...AS_IT_COMES, name: '16 partitions', partitionCount: 16, camerasPerPartition: 1 },
  ...TASKS.map((task) => ({ ...AS_IT_COMES, name: `only ${task}`, heads: [task] })),
];

const variants = flags.has('sweep') ? [AS_IT_COMES, ...SWEEP] : [AS_IT_COMES];
const frames = await streetFrames(PICTURES);
const measured = new Map<string, Round[]>(variants.map(({ name }) => [name, []]));
const traced: WholeConsumerFigures[] = [];

const stack = await startTestStack({ redis: false });
try {
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) {
      const one = await measureRound(variant, `bench-${round}-${variants.indexOf(variant)}`);
      measured.get(variant.name)?.push(one);
      tell(
        `round ${round + 1}, ${variant.name}: consumer ` +
          `${one.consumer.framesPerSecond.toFixed(1)} frames/s, engine alone ` +
          `${one.engine.framesPerSecond.toFixed(1)}, bare loop ` +
          `${one.bare.framesPerSecond.toFixed(1)}; written at ` +
          `${one.consumer.writtenPerSecond.toFixed(0)}`,
      );
    }
    traced.push(await consume(AS_IT_COMES, `bench-${round}-traced`, true));
  }
} finally {
  await stack.stop();
}

const rows = variants.map(rowOf);
const breakdown = breakdownRow();
report(
  {
    bench: 'consumer',
    rounds,
    about: [
      `${FRAMES} frames of ${PICTURES} pictures wait; ${frames.bundle.manifest.name}, ${provider},`,
      'one thread a session. Processor time a frame, microseconds, of the consumer without its',
      'engine: of its main thread, and of all its threads.',
    ],
    tables: [
      markdownTable(
        [
          '',
          'consumer, frames/s',
          'engine alone',
          'bare loop',
          'consumer / bare',
          `goal ${GOAL}`,
          'engine / bare',
          'main thread, us',
          'all threads, us',
          'frames a commit',
        ],
        rows.map(({ batchesByReason: _, framesPerBatch: __, ...row }) => Object.values(row)),
      ),
      markdownTable(
        ['', ...Object.keys(breakdown)],
        [['ms, median, all frames traced', ...Object.values(breakdown)]],
      ),
    ],
    figures: {
      provider,
      frames: FRAMES,
      pictures: PICTURES,
      goal: GOAL,
      rows,
      breakdownMs: breakdown,
    },
  },
  { write },
);
process.exit(0);

async function measureRound(variant: Variant, prefix: string): Promise<Round> {
  const settings: BareLoopSettings = {
    bundleDirectory: frames.bundle.directory,
    heads: variant.heads,
    provider,
    batchFrames: variant.batchFrames,
    frames: FRAMES,
    bitstreams: frames.bitstreams,
  };
  const bare = await runBareLoop(settings);
  const engine = await runEngineAlone(settings);
  const consumer = await consume(variant, prefix, false);
  checkSame(bare.findings, engine.findings);
  checkSame(bare.findings, consumer.findings);
  return { consumer, engine, bare };
}

function consume(variant: Variant, prefix: string, isTraced: boolean) {
  const { name: _, ...settings } = variant;
  return runWholeConsumer(
    { ...settings, provider, brokers: stack.brokers, prefix, frames: FRAMES, isTraced },
    frames,
  );
}

/** Batches are put together differently, which may move a score across a threshold. */
function checkSame(one: number, other: number): void {
  if (Math.abs(one - other) <= 0.01 * one) return;
  throw new Error(`not the same work: ${one} findings and ${other}`);
}

function rowOf({ name }: Variant) {
  const all = measured.get(name) ?? [];
  const of = (value: (round: Round) => number) => all.map(value);
  const consumer = of((round) => round.consumer.framesPerSecond);
  const engine = of((round) => round.engine.framesPerSecond);
  const bare = of((round) => round.bare.framesPerSecond);
  const ratio = medianRatio(consumer, bare);
  return {
    name,
    consumer: rounded(median(consumer), 1),
    engine: rounded(median(engine), 1),
    bare: rounded(median(bare), 1),
    consumerOfBare: rounded(ratio, 3),
    goal: verdict(ratio >= GOAL),
    engineOfBare: rounded(medianRatio(engine, bare), 3),
    mainThreadUs: rounded(median(of((round) => round.consumer.cost.threadUs))),
    processUs: rounded(median(of((round) => round.consumer.cost.processUs))),
    framesPerCommit: rounded(median(of((round) => round.consumer.framesPerCommit)), 1),
    framesPerBatch: rounded(median(of((round) => round.consumer.framesPerBatch)), 2),
    batchesByReason: all[0]?.consumer.batchesByReason,
  };
}

function breakdownRow() {
  const of = (name: keyof NonNullable<WholeConsumerFigures['breakdown']>) =>
    rounded(median(traced.map(({ breakdown: one }) => one?.[name] ?? Number.NaN)) / 1000, 2);
  return {
    lane: of('laneUs'),
    parse: of('parseUs'),
    'wait for batch': of('batchUs'),
    decode: of('decodeUs'),
    engine: of('engineUs'),
    'publish and commit': of('commitUs'),
  };
}
