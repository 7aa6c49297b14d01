import { agentLoad, agentMemoryMib } from '#infra/plan/agents.ts';
import type { Constants } from '#infra/plan/constants.ts';
import {
  besideUs,
  capacityOf,
  consumerUs,
  engineUs,
  type FrameWork,
} from '#infra/plan/consumers.ts';
import { frameBytes, placesHit, resultBytes, transactionBytes } from '#infra/plan/traffic.ts';
import { backlogTransactions } from '#infra/plan/transactions.ts';
import { agentCase, sendsPerFrame } from './fit.ts';
import { AGENT_PARTITIONS, type AgentCase, type AgentMeasured } from './measure-agent.ts';
import { batchFramesMax, type ConsumerCase, type ConsumerMeasured } from './measure-consumer.ts';

/** Nothing of these was fitted: other numbers of cameras, rates, partitions, heads, rate points. */
export const CHECK_AGENTS: readonly AgentCase[] = [
  agentCase(3, 7, 'onnx'),
  agentCase(60, 4, 'stub'),
];

export const CHECK_CONSUMERS: readonly ConsumerCase[] = [
  {
    name: '4 partitions, detection and segmentation',
    partitionCount: 4,
    camerasPerPartition: 3,
    heads: ['detection', 'segmentation'],
    engine: 'real',
    frames: 480,
  },
  {
    name: '16 partitions, classification',
    partitionCount: 16,
    camerasPerPartition: 1,
    heads: ['classification'],
    engine: 'real',
    frames: 640,
  },
  {
    name: '4 partitions, two heads, stub',
    partitionCount: 4,
    camerasPerPartition: 8,
    heads: ['classification', 'segmentation'],
    engine: 'stub',
    frames: 28_800,
  },
];

export const CHECK_ACQUIRED = 64;

/** One figure of one configuration. */
export interface Check {
  readonly configuration: string;
  readonly figure: string;
  readonly unit: string;
  readonly predicted: number;
  readonly measured: number;
}

export function checkAgent(
  one: AgentCase,
  measured: AgentMeasured,
  constants: Constants,
  {
    pictureBytes,
    bitstreamBytes,
  }: { readonly pictureBytes: number; readonly bitstreamBytes: number },
): Check[] {
  const { cameraCount, encoder } = one;
  const framesPerSecond = cameraCount * one.framesPerSecond;
  const load = agentLoad(constants, framesPerSecond);
  const restCores = load.coresUsed - load.encoderCores;
  const cores = encoder === 'onnx' ? load.coresUsed : restCores;
  const check = checksOf(one.name);
  const perSend = 1 / sendsPerFrame(framesPerSecond);
  const perBatch = perSend / placesHit(AGENT_PARTITIONS, Math.min(perSend, cameraCount));
  const { broker } = constants;
  return [
    check('processor time a frame', 'us', (cores / framesPerSecond) * 1e6, measured.allUs),
    check(
      'main thread a frame',
      'us',
      (load.mainThreadShare / framesPerSecond) * 1e6,
      measured.mainUs,
    ),
    check("broker's processor time a frame", 'us', broker.sendUs / perSend, measured.brokerUs),
    // A stub answers with one bitstream, whichever is the first.
    ...(encoder === 'onnx'
      ? [
          check(
            'memory',
            'MiB',
            agentMemoryMib(constants, { cameras: cameraCount, pictureBytes }),
            measured.residentMib,
          ),
          check(
            'frame topic, a frame',
            'bytes',
            frameBytes(constants, bitstreamBytes, perBatch),
            measured.frameBytes,
          ),
        ]
      : []),
  ];
}

export function checkConsumer(
  one: ConsumerCase,
  measured: ConsumerMeasured,
  constants: Constants,
): Check[] {
  const check = checksOf(one.name);
  const { framesPerSecond, perFrame, cost } = predictConsumer(one, constants);
  const { broker, consumer } = constants;
  const brokerUs =
    broker.frameUs + perFrame * broker.transactionUs + broker.consumerUs / framesPerSecond;
  const mainUs = cost.mainUs + consumer.mainIdleUs / framesPerSecond;
  const frames = frameBytes(constants, measured.bitstreamBytes, measured.recordsPerBatch);
  const own = transactionBytes(constants, one.camerasPerPartition);
  return [
    check('frames a second', '1/s', framesPerSecond, measured.framesPerSecond),
    check('main thread a frame', 'us', mainUs, measured.mainUs),
    check('transactions a frame', '', perFrame, measured.transactionsPerFrame),
    check("broker's processor time a frame", 'us', brokerUs, measured.brokerUs),
    check('frame topic, a frame', 'bytes', frames, measured.frameBytes),
    // A stub's results are made up.
    ...(one.engine === 'real'
      ? [
          ...one.heads.map((head) =>
            check(
              `${head} topic, a frame`,
              'bytes',
              resultBytes(constants, head, 1 / perFrame),
              measured.resultBytes[head] ?? 0,
            ),
          ),
          check(
            "engine's processor time a frame",
            'us',
            constants.engine.decodeUs + constants.engine.threads * engineUs(constants, one.heads),
            measured.engineUs,
          ),
          check("Kafka's own topics, a transaction", 'bytes', own, measured.transactionBytes),
          check(
            'memory, with its engine',
            'MiB',
            constants.consumer.residentMib + constants.engine.residentMib,
            measured.residentMib + measured.engineResidentMib,
          ),
        ]
      : []),
  ];
}

export function checkAcquire(ms: number, { consumer }: Constants): Check[] {
  const check = checksOf(`${CHECK_ACQUIRED} partitions taken over`);
  const predicted = consumer.acquireFirstMs + CHECK_ACQUIRED * consumer.acquireMs;
  return [check('until all are', 'ms', predicted, ms)];
}

/** The rate decides how many frames share a transaction, and that what a frame costs: in turns. */
function predictConsumer(one: ConsumerCase, constants: Constants) {
  // A stub does nothing, and so does the entropy decoder in it.
  const isReal = one.engine === 'real';
  const models = isReal ? engineUs(constants, one.heads) : 0;
  let framesPerSecond = 1000;
  for (let turn = 0; ; turn++) {
    const perFrame = backlogPerFrame(one, constants, framesPerSecond);
    const cost = consumerUs(constants, frameWork(one, perFrame));
    const beside = besideUs(constants, cost.mainUs);
    const decodeUs = isReal ? beside.decodeUs : 0;
    framesPerSecond = capacityOf({ engineUs: models, ...beside, decodeUs }).framesPerSecond;
    if (turn === TURNS) return { framesPerSecond, perFrame, cost };
  }
}

const TURNS = 20;

/** Transactions a frame, of a consumer that does so many of a backlog. */
export function backlogPerFrame(
  one: ConsumerCase,
  { consumer }: Constants,
  framesPerSecond: number,
): number {
  const perPartition = framesPerSecond / one.partitionCount;
  const transactions = backlogTransactions({
    framesPerSecond: perPartition,
    laneCount: one.partitionCount,
    batchFramesMax: batchFramesMax(one),
    commitMs: consumer.commitMs,
  });
  return transactions / perPartition;
}

export function frameWork(one: ConsumerCase, transactionsPerFrame: number): FrameWork {
  const engine = ({ real: 'cpu', fast: 'gpu', stub: undefined } as const)[one.engine];
  return { heads: one.heads, transactionsPerFrame, engine };
}

function checksOf(configuration: string) {
  return (figure: string, unit: string, predicted: number, measured: number): Check => ({
    ...{ configuration, figure, unit, predicted, measured },
  });
}
