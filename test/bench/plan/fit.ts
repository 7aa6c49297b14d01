import { sendsPerSecond } from '#infra/plan/agents.ts';
import { type Constants, FIGURES, type SectionName } from '#infra/plan/constants.ts';
import { MIB } from '#infra/plan/fleet.ts';
import { BATCH_BYTES, MARKER_BYTES, transactionBytes } from '#infra/plan/traffic.ts';
import { LIMITS } from '#runtime/limits.ts';
import { TASKS } from '#schemas/result.ts';
import { median, rounded } from '../instruments/statistics.ts';
import { fitFromZero } from './linear-fit.ts';
import { AGENT_PARTITIONS, type AgentCase, type AgentMeasured } from './measure-agent.ts';
import type { ConsumerCase, ConsumerMeasured } from './measure-consumer.ts';

/** What the constants come from; nothing of it is predicted. */
export const FIT_AGENTS = {
  many: agentCase(100, 5, 'stub'),
  real: agentCase(4, 5, 'onnx'),
} as const;

const CONSUMER = { partitionCount: 8, camerasPerPartition: 2, heads: TASKS };

export const FIT_CONSUMERS = {
  real: { ...CONSUMER, name: '8 partitions, all heads', engine: 'real', frames: 480 },
  stub: { ...CONSUMER, name: '8 partitions, all heads, stub', engine: 'stub', frames: 28_800 },
  oneHead: {
    ...CONSUMER,
    name: '8 partitions, one head, stub',
    heads: ['detection'],
    engine: 'stub',
    frames: 28_800,
  },
  /** Fewer frames share a transaction. */
  many: {
    ...{ partitionCount: 32, camerasPerPartition: 1, heads: TASKS, engine: 'stub' },
    name: '32 partitions, all heads, stub',
    frames: 28_800,
  },
  fast: { ...CONSUMER, name: '8 partitions, fast engine', engine: 'fast', frames: 9_600 },
} as const satisfies Record<string, ConsumerCase>;

export const FIT_ACQUIRED = [16, 128] as const;

export interface FitRound {
  readonly agents: Readonly<Record<keyof typeof FIT_AGENTS, AgentMeasured>>;
  readonly consumers: Readonly<Record<keyof typeof FIT_CONSUMERS, ConsumerMeasured>>;
  /** For each of FIT_ACQUIRED. */
  readonly acquiredMs: readonly number[];
}

export function agentCase(
  cameraCount: number,
  framesPerSecond: number,
  encoder: AgentCase['encoder'],
): AgentCase {
  const stub = encoder === 'stub' ? ', encoder for nothing' : '';
  const name = `${cameraCount} cameras, ${framesPerSecond} fps${stub}`;
  return { name, cameraCount, framesPerSecond, encoder };
}

type Fitted = Omit<Constants, 'bundle' | 'sources' | 'recovery'>;

/** The median of what each round gives. */
export function fitRounds(
  rounds: readonly FitRound[],
  options: { readonly pictureBytes: number; readonly threads: number },
): Fitted {
  const fits = rounds.map((round) => fitRound(round, options));
  const names = Object.keys(FIGURES).filter((name) => name !== 'recovery') as SectionName[];
  const sections = names.map((section) => {
    const figures = Object.keys(FIGURES[section]).map((figure) => {
      const values = fits.map((fit) => (fit as Sections)[section]?.[figure] ?? Number.NaN);
      return [figure, rounded(median(values), 3)];
    });
    return [section, Object.fromEntries(figures)];
  });
  return Object.fromEntries(sections) as Fitted;
}

type Sections = Readonly<Partial<Record<SectionName, Readonly<Record<string, number>>>>>;

function fitRound(
  { agents, consumers, acquiredMs }: FitRound,
  { pictureBytes, threads }: { readonly pictureBytes: number; readonly threads: number },
): Fitted {
  const { real } = consumers;
  return {
    agent: fitAgent(agents, pictureBytes),
    engine: fitEngine(real, threads),
    consumer: { ...fitConsumer(consumers), ...fitAcquire(acquiredMs) },
    broker: fitBroker(agents, consumers),
    bytes: fitBytes(agents, real),
  };
}

/**
 * The engine tells wall-clock times, which grow while others have the processor; so they are taken
 * as shares of the processor time of its process.
 */
function fitEngine(real: ConsumerMeasured, threads: number): Constants['engine'] {
  const headsUs = TASKS.map((task) => real.headUs[task] ?? 0);
  const modelsUs = headsUs.reduce((sum, us) => sum + us, real.bodyUs);
  const scale = real.engineUs / (threads * modelsUs + real.decodeUs);
  return {
    threads,
    decodeUs: scale * real.decodeUs,
    bodyUs: scale * real.bodyUs,
    classificationUs: scale * (real.headUs.classification ?? 0),
    detectionUs: scale * (real.headUs.detection ?? 0),
    segmentationUs: scale * (real.headUs.segmentation ?? 0),
    residentMib: real.engineResidentMib,
  };
}

/**
 * Of two loads that differ in how many frames share a request. Where frames are few the encoder is
 * the real one: it keeps the processor awake, and a request costs less than where all threads sleep
 * in between. What other threads do for a frame is seen where none of them encodes.
 */
function fitAgent({ many, real }: FitRound['agents'], pictureBytes: number) {
  const [mainFrameUs = 0, sendUs = 0] = fitFromZero(
    [many, real].map(({ framesPerSecond }) => [1, sendsPerFrame(framesPerSecond)]),
    [many.mainUs, real.mainUs],
  );
  const frameUs = mainFrameUs + many.allUs - many.mainUs;
  const restUs = frameUs + sendsPerFrame(real.framesPerSecond) * sendUs;
  const { cameraCount } = FIT_AGENTS.real;
  const pictures = cameraCount * (1 + LIMITS.framesWaitingPerCameraMax) * pictureBytes;
  return {
    encodeUs: Math.max(0, real.allUs - restUs),
    ...{ frameUs, mainFrameUs, sendUs },
    residentMib: real.residentMib - pictures / MIB,
  };
}

export function sendsPerFrame(framesPerSecond: number): number {
  return sendsPerSecond(framesPerSecond) / framesPerSecond;
}

/**
 * Of runs that differ in results a frame and in frames a transaction, beyond an idle one; and what
 * those with an engine in another process need more.
 */
function fitConsumer(consumers: FitRound['consumers']) {
  type Name = keyof typeof consumers;
  const rowOf = (name: Name) => [
    1,
    FIT_CONSUMERS[name].heads.length,
    consumers[name].transactionsPerFrame,
  ];
  const names = ['stub', 'oneHead', 'many'] as const;
  const rows = names.map(rowOf);
  const factorsOf = (value: (one: ConsumerMeasured) => number) =>
    fitFromZero(
      rows,
      names.map((name) => value(consumers[name])),
    );
  const beyond = (name: Name, us: (one: ConsumerMeasured) => number, factors: readonly number[]) =>
    Math.max(
      0,
      rowOf(name).reduce(
        (rest, times, at) => rest - times * (factors[at] ?? 0),
        us(consumers[name]),
      ),
    );
  const [ofMain, ofAll] = [factorsOf(mainBusyUs), factorsOf(allBusyUs)];
  const [mainFrameUs = 0, mainResultUs = 0, mainTransactionUs = 0] = ofMain;
  const [frameUs = 0, resultUs = 0, transactionUs = 0] = ofAll;
  const { real, stub, oneHead, many } = consumers;
  return {
    ...{ mainFrameUs, mainResultUs, mainTransactionUs, frameUs, resultUs, transactionUs },
    mainCpuEngineUs: beyond('real', mainBusyUs, ofMain),
    cpuEngineUs: beyond('real', allBusyUs, ofAll),
    mainGpuEngineUs: beyond('fast', mainBusyUs, ofMain),
    gpuEngineUs: beyond('fast', allBusyUs, ofAll),
    mainIdleUs: real.mainIdleUs,
    idleUs: real.allIdleUs,
    // Whatever disturbs a run makes it less.
    mainShareMax: Math.max(...[stub, oneHead, many].map(mainShare)),
    commitMs: stub.commitMs,
    residentMib: real.residentMib,
  };
}

/** A frame, beyond what the main thread does without any. */
function mainBusyUs({ mainUs, mainIdleUs, framesPerSecond }: ConsumerMeasured): number {
  return mainUs - mainIdleUs / framesPerSecond;
}

/** Likewise of all threads but the engine process. */
function allBusyUs({ allUs, allIdleUs, framesPerSecond }: ConsumerMeasured): number {
  return allUs - allIdleUs / framesPerSecond;
}

function mainShare({ framesPerSecond, mainUs }: ConsumerMeasured): number {
  return Math.min(1, (framesPerSecond * mainUs) / 1e6);
}

function fitAcquire(acquiredMs: readonly number[]) {
  const rows = FIT_ACQUIRED.map((partitions) => [1, partitions]);
  const [acquireFirstMs = 0, acquireMs = 0] = fitFromZero(rows, acquiredMs);
  return { acquireFirstMs, acquireMs };
}

function fitBroker(
  { many, real: agent }: FitRound['agents'],
  { real, stub }: FitRound['consumers'],
) {
  const [frameUs = 0, transactionUs = 0] = fitFromZero(
    [real, stub].map(({ transactionsPerFrame }) => [1, transactionsPerFrame]),
    [real, stub].map((one) => one.brokerUs - one.brokerIdleUs / one.framesPerSecond),
  );
  const [sendUs = 0] = fitFromZero(
    [agent, many].map(({ framesPerSecond }) => [sendsPerFrame(framesPerSecond)]),
    [agent.brokerUs, many.brokerUs],
  );
  return { sendUs, frameUs, transactionUs, consumerUs: real.brokerIdleUs };
}

function fitBytes({ many }: FitRound['agents'], real: ConsumerMeasured) {
  const ofTransaction = (BATCH_BYTES + MARKER_BYTES) / real.framesPerTransaction;
  const result = (task: (typeof TASKS)[number]) => (real.resultBytes[task] ?? 0) - ofTransaction;
  const noteBytes = transactionBytes({ bytes: NO_BYTES }, FIT_CONSUMERS.real.camerasPerPartition);
  const statusesPerBatch = FIT_AGENTS.many.cameraCount / AGENT_PARTITIONS;
  return {
    frameOverhead: real.frameBytes - real.bitstreamBytes - BATCH_BYTES / real.recordsPerBatch,
    classification: result('classification'),
    detection: result('detection'),
    segmentation: result('segmentation'),
    status: many.statusBytes - BATCH_BYTES / statusesPerBatch,
    transaction: Math.max(0, real.transactionBytes - noteBytes),
  };
}

const NO_BYTES: Constants['bytes'] = {
  ...{ frameOverhead: 0, classification: 0, detection: 0, segmentation: 0 },
  ...{ status: 0, transaction: 0 },
};
