import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleName } from '#infra/plan/complete.ts';
import {
  type Constants,
  readConstants,
  SECTION_NAMES,
  SHIPPED_CONSTANTS,
} from '#infra/plan/constants.ts';
import { loadBundle } from '#models/bundle.ts';
import { assert, defined } from '#runtime/assert.ts';
import { startTestStack, TEST_STACKS } from '#test/integration/start-stack.ts';
import { TINY_BUNDLE } from '#test/unit/models/tiny.ts';
import { bundleFrames, streetPictures } from './instruments/bundle-frames.ts';
import { SHIPPED_BUNDLE } from './instruments/frame-maker.ts';
import { describeMachine } from './instruments/machine.ts';
import { markdownTable, report, tell, verdict } from './instruments/section.ts';
import { median, rounded } from './instruments/statistics.ts';
import {
  CHECK_ACQUIRED,
  CHECK_AGENTS,
  CHECK_CONSUMERS,
  type Check,
  checkAcquire,
  checkAgent,
  checkConsumer,
} from './plan/checks.ts';
import { FIT_ACQUIRED, FIT_AGENTS, FIT_CONSUMERS, type FitRound, fitRounds } from './plan/fit.ts';
import { measureAcquire } from './plan/measure-acquire.ts';
import { type AgentCase, type AgentMeasured, measureAgent } from './plan/measure-agent.ts';
import {
  type Bench,
  type ConsumerMeasured,
  meanBytes,
  measureConsumer,
} from './plan/measure-consumer.ts';

/**
 * Whether `npx halfsight plan` says what will be, and the constants that it says it with:
 *   npm run bench -- plan [--rounds 5] [--write]        fits, predicts others, measures those
 *   npm run bench -- plan --constants FILE              predicts with these instead
 *   npm run --silent bench -- plan --fit > FILE         measures the constants and prints them
 *
 * With `--threads N` engines compute on so many cores. Fitted: an agent with the real encoder, and
 * with one that costs nothing; a consumer with all heads; with the model of tests, which is as fast
 * as a GPU; and with a stub for its engine, with all results and with one, on few partitions and on
 * many. Predicted: other numbers of cameras, frame rates, partitions and heads, and the finest rate
 * point. A prediction should come within a fifth.
 */
const GOAL = 0.2;
const PICTURES = 16;
const LOAD_SHARE_MIN = 0.5;
const ATTEMPTS = 4;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '1' },
    constants: { type: 'string' },
    fit: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const rounds = whole('--rounds', values.rounds);
const threads = whole('--threads', values.threads);
const given = values.constants === undefined ? undefined : readConstants(values.constants);

const bundle = await loadBundle(SHIPPED_BUNDLE);
const pictures = await streetPictures(bundle, PICTURES);
const frames = await bundleFrames(bundle, pictures);
const fine = await bundleFrames(bundle, pictures, 0);
const tiny = await loadBundle(TINY_BUNDLE);
const ofTests = await bundleFrames(tiny, await streetPictures(tiny, PICTURES));
const pictureBytes = bundle.manifest.input.width * bundle.manifest.input.height * 3;

const fits: FitRound[] = [];
const measured: Measured[] = [];
for (let round = 0; round < rounds; round++) {
  await withBroker(`plan-${process.pid}-${round}`, async (bench) => {
    if (given === undefined) fits.push(await fitRound(bench, `fit-${round}`));
    if (!values.fit) measured.push(await measureRound(bench, `check-${round}`));
  });
}

const constants = given ?? fittedConstants();
if (values.fit) process.stdout.write(`${JSON.stringify(constants, null, 2)}\n`);
else reportChecks();
process.exit(0);

interface Measured {
  readonly agents: readonly AgentMeasured[];
  readonly consumers: readonly ConsumerMeasured[];
  readonly acquiredMs: number;
}

/** Each round has a broker of its own, or the topics of those before would count as costs. */
async function withBroker(name: string, work: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = join(TEST_STACKS, name);
  const stack = await startTestStack({ redis: false, directory });
  try {
    await work({
      brokers: stack.brokers,
      brokerPid: defined(stack.pids.get('kafka-1'), "the broker's process"),
      brokerDirectory: directory,
    });
  } finally {
    await stack.stop();
  }
}

async function fitRound(bench: Bench, prefix: string): Promise<FitRound> {
  const agent = (name: keyof typeof FIT_AGENTS) =>
    toldAgent(bench, FIT_AGENTS[name], `${prefix}-agent-${name}`);
  const consumer = (name: keyof typeof FIT_CONSUMERS, load = frames) =>
    toldConsumer(bench, FIT_CONSUMERS[name], { prefix: `${prefix}-consumer-${name}`, load });
  // Those that give the broker most to do come first: it compiles itself while they run.
  const consumers = {
    stub: await consumer('stub'),
    oneHead: await consumer('oneHead'),
    many: await consumer('many'),
    fast: await consumer('fast', ofTests),
    real: await consumer('real'),
  };
  return {
    consumers,
    agents: { many: await agent('many'), real: await agent('real') },
    acquiredMs: await acquired(bench, prefix),
  };
}

async function acquired(bench: Bench, prefix: string): Promise<number[]> {
  const times: number[] = [];
  for (const partitions of FIT_ACQUIRED) {
    times.push(await measureAcquire(bench, partitions, `${prefix}-acquire-${partitions}`));
  }
  return times;
}

async function measureRound(bench: Bench, prefix: string): Promise<Measured> {
  const agents: AgentMeasured[] = [];
  for (const [index, one] of CHECK_AGENTS.entries()) {
    agents.push(await toldAgent(bench, one, `${prefix}-agent-${index}`));
  }
  const consumers: ConsumerMeasured[] = [];
  for (const [index, one] of CHECK_CONSUMERS.entries()) {
    const load = index === 0 ? fine : frames;
    const prefixed = { prefix: `${prefix}-consumer-${index}`, load };
    consumers.push(await toldConsumer(bench, one, prefixed));
  }
  const acquiredMs = await measureAcquire(bench, CHECK_ACQUIRED, `${prefix}-acquire`);
  return { agents, consumers, acquiredMs };
}

/** Again where the machine was too busy for the load: what a frame costs is not seen then. */
async function toldAgent(bench: Bench, one: AgentCase, prefix: string): Promise<AgentMeasured> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const options = { prefix: `${prefix}-${attempt}`, pictures };
    const figures = await measureAgent(bench, one, options);
    tell(
      `${prefix}, ${one.name}: ${figures.framesPerSecond.toFixed(1)} frames/s, ` +
        `${figures.allUs.toFixed(0)} us a frame, main thread ${figures.mainUs.toFixed(0)}, ` +
        `broker ${figures.brokerUs.toFixed(0)}`,
    );
    const load = one.cameraCount * one.framesPerSecond;
    if (figures.framesPerSecond >= LOAD_SHARE_MIN * load) return figures;
  }
  throw new Error(`this machine is too busy: ${one.name} were not carried in ${ATTEMPTS} attempts`);
}

async function toldConsumer(
  bench: Bench,
  one: (typeof CHECK_CONSUMERS)[number],
  { prefix, load }: { prefix: string; load: typeof frames },
): Promise<ConsumerMeasured> {
  const figures = await measureConsumer(bench, one, load, { prefix, threads });
  tell(
    `${prefix}, ${one.name}: ${figures.framesPerSecond.toFixed(1)} frames/s, main thread ` +
      `${figures.mainUs.toFixed(0)} us a frame, broker ${figures.brokerUs.toFixed(0)}, ` +
      `${figures.framesPerTransaction.toFixed(1)} frames a transaction`,
  );
  return figures;
}

function fittedConstants(): Constants {
  const date = new Date().toISOString().slice(0, 10);
  const source = { from: 'npm run bench -- plan --fit', date, ...describeMachine() };
  const shipped = readConstants(SHIPPED_CONSTANTS);
  const sources = Object.fromEntries(SECTION_NAMES.map((name) => [name, source]));
  return {
    bundle: bundleName(bundle.manifest),
    sources: { ...(sources as Constants['sources']), recovery: shipped.sources.recovery },
    ...fitRounds(fits, { pictureBytes, threads }),
    recovery: shipped.recovery,
  };
}

function reportChecks(): void {
  const bitstreamBytes = meanBytes(frames.bitstreams);
  const perRound = measured.map(({ agents, consumers, acquiredMs }): Check[] => [
    ...agents.flatMap((one, index) =>
      checkAgent(defined(CHECK_AGENTS[index], 'its case'), one, constants, {
        ...{ pictureBytes, bitstreamBytes },
      }),
    ),
    ...consumers.flatMap((one, index) =>
      checkConsumer(defined(CHECK_CONSUMERS[index], 'its case'), one, constants),
    ),
    ...checkAcquire(acquiredMs, constants),
  ]);
  const rows = (perRound[0] ?? []).map(({ configuration, figure, unit, predicted }, index) => {
    const value = median(perRound.map((checks) => checks[index]?.measured ?? Number.NaN));
    const error = predicted / value - 1;
    return {
      ...{ configuration, figure, unit },
      predicted: Number(predicted.toPrecision(4)),
      measured: Number(value.toPrecision(4)),
      errorPercent: rounded(100 * error, 1),
      goal: verdict(Math.abs(error) <= GOAL),
    };
  });
  report(
    {
      bench: 'plan',
      rounds,
      about: [
        `Constants ${given === undefined ? 'of the same run' : 'as given'}; predictions are`,
        'compared with the medians of the rounds. Nothing of these configurations was fitted.',
      ],
      tables: [
        markdownTable(
          ['', 'figure', 'unit', 'predicted', 'measured', 'error, %', `goal ${100 * GOAL} %`],
          rows.map((row) => Object.values(row)),
        ),
      ],
      figures: { goal: GOAL, threads, rows, constants },
    },
    { write: values.write },
  );
}

function whole(name: string, text: string): number {
  const number = Number(text);
  assert(Number.isInteger(number) && number > 0, `${name} is a whole number from 1`);
  return number;
}
