import { describe, expect, it } from 'vitest';
import { agentLoad, agentMemoryMib } from '#infra/plan/agents.ts';
import { consumerUs, engineUs } from '#infra/plan/consumers.ts';
import { frameBytes, resultBytes, transactionBytes } from '#infra/plan/traffic.ts';
import type { TASKS } from '#schemas/result.ts';
import {
  backlogPerFrame,
  CHECK_AGENTS,
  CHECK_CONSUMERS,
  checkAgent,
  checkConsumer,
  frameWork,
} from '#test/bench/plan/checks.ts';
import {
  FIT_ACQUIRED,
  FIT_AGENTS,
  FIT_CONSUMERS,
  fitRounds,
  sendsPerFrame,
} from '#test/bench/plan/fit.ts';
import { fitFromZero } from '#test/bench/plan/linear-fit.ts';
import type { AgentCase, AgentMeasured } from '#test/bench/plan/measure-agent.ts';
import type { ConsumerCase, ConsumerMeasured } from '#test/bench/plan/measure-consumer.ts';
import { CONSTANTS, FLEET } from '../infra/plan/sample.ts';

describe('fitFromZero', () => {
  it('finds the factors that made the values', () => {
    const rows = [
      [1, 3, 1],
      [1, 3, 0.03],
      [1, 1, 0.02],
    ];
    const values = rows.map(
      ([one = 0, heads = 0, share = 0]) => 200 * one + 50 * heads + 500 * share,
    );
    const found = fitFromZero(rows, values);
    for (const [index, factor] of [200, 50, 500].entries())
      expect(found[index]).toBeCloseTo(factor, 6);
  });

  it('a first row without the first unknown is no obstacle', () => {
    expect(
      fitFromZero(
        [
          [0, 2],
          [3, 1],
        ],
        [4, 5],
      ),
    ).toEqual([1, 2]);
  });

  it('what noise would make negative costs nothing, and the rest is fitted without it', () => {
    const [base, slope] = fitFromZero(
      [
        [1, 0],
        [1, 1],
        [1, 2],
      ],
      [10, 9, 8],
    );
    expect(slope).toBe(0);
    expect(base).toBeCloseTo(9, 6);
  });
});

function agentAs({ cameraCount, framesPerSecond, encoder }: AgentCase): AgentMeasured {
  const rate = cameraCount * framesPerSecond;
  const { coresUsed, encoderCores, mainThreadShare } = agentLoad(CONSTANTS, rate);
  const cores = encoder === 'onnx' ? coresUsed : coresUsed - encoderCores;
  const { pictureBytes } = FLEET;
  return {
    framesPerSecond: rate,
    mainUs: (mainThreadShare / rate) * 1e6,
    allUs: (cores / rate) * 1e6,
    residentMib: agentMemoryMib(CONSTANTS, { cameras: cameraCount, pictureBytes }),
    brokerUs: sendsPerFrame(rate) * CONSTANTS.broker.sendUs,
    frameBytes: 0,
    statusBytes: CONSTANTS.bytes.status + (61 * 8) / cameraCount,
  };
}

/** That share a transaction, by the number of partitions. */
const STUB_FRAMES: Readonly<Record<number, number>> = { 8: 100, 32: 20 };

function consumerAs(one: ConsumerCase): ConsumerMeasured {
  const { heads, engine: kind, camerasPerPartition } = one;
  const { engine, consumer, broker } = CONSTANTS;
  const models = engineUs(CONSTANTS, heads);
  // A stub goes as fast as the main thread, which costs what the frames of a transaction share.
  const transactionsPerFrame =
    kind === 'real'
      ? backlogPerFrame(one, CONSTANTS, 1e6 / models)
      : 1 / (STUB_FRAMES[one.partitionCount] ?? 100);
  const cost = consumerUs(CONSTANTS, frameWork(one, transactionsPerFrame));
  const framesPerSecond = kind === 'real' ? 1e6 / models : stubRate(cost.mainUs);
  const of = (value: (head: (typeof TASKS)[number]) => number) =>
    Object.fromEntries(heads.map((head) => [head, value(head)]));
  return {
    ...{ transactionsPerFrame, framesPerSecond, commitMs: consumer.commitMs },
    mainUs: cost.mainUs + consumer.mainIdleUs / framesPerSecond,
    allUs: cost.allUs + consumer.idleUs / framesPerSecond,
    decodeUs: 2 * engine.decodeUs,
    // Others had the processor for half of the time.
    bodyUs: 2 * engine.bodyUs,
    headUs: of((head) => 2 * engine[`${head}Us`]),
    engineUs: engine.decodeUs + models,
    residentMib: consumer.residentMib,
    engineResidentMib: engine.residentMib,
    brokerUs:
      broker.frameUs +
      transactionsPerFrame * broker.transactionUs +
      broker.consumerUs / framesPerSecond,
    brokerIdleUs: broker.consumerUs,
    mainIdleUs: consumer.mainIdleUs,
    allIdleUs: consumer.idleUs,
    frameBytes: frameBytes(CONSTANTS, 3_000, 25),
    recordsPerBatch: 25,
    bitstreamBytes: 3_000,
    resultBytes: of((head) => resultBytes(CONSTANTS, head, 1 / transactionsPerFrame)),
    framesPerTransaction: 1 / transactionsPerFrame,
    transactionBytes: transactionBytes(CONSTANTS, camerasPerPartition),
  };
}

/** Busy for `mainShareMax` of its time, what an idle one does included. */
function stubRate(mainUs: number): number {
  const { mainShareMax, mainIdleUs } = CONSTANTS.consumer;
  return (mainShareMax * 1e6 - mainIdleUs) / mainUs;
}

describe('a machine that is as the model says', () => {
  const round = {
    agents: { many: agentAs(FIT_AGENTS.many), real: agentAs(FIT_AGENTS.real) },
    consumers: {
      real: consumerAs(FIT_CONSUMERS.real),
      stub: consumerAs(FIT_CONSUMERS.stub),
      oneHead: consumerAs(FIT_CONSUMERS.oneHead),
      many: consumerAs(FIT_CONSUMERS.many),
      fast: consumerAs(FIT_CONSUMERS.fast),
    },
    acquiredMs: FIT_ACQUIRED.map((partitions) => 50 + partitions * CONSTANTS.consumer.acquireMs),
  };

  it('is fitted to its own constants, whichever round is noisy', () => {
    const noisy = { ...round, acquiredMs: [1_000, 2_000] };
    const fitted = fitRounds([round, noisy, round], {
      ...{ pictureBytes: FLEET.pictureBytes, threads: 1 },
    });
    for (const section of ['agent', 'engine', 'consumer', 'broker', 'bytes'] as const) {
      for (const [name, value] of Object.entries(CONSTANTS[section])) {
        const found = (fitted[section] as Readonly<Record<string, number>>)[name];
        expect(found, `${section}.${name}`).toBeCloseTo(value, 1);
      }
    }
  });

  it('is predicted: processor times, bytes and memory of other configurations', () => {
    const [agent] = CHECK_AGENTS;
    const [consumer] = CHECK_CONSUMERS;
    if (agent === undefined || consumer === undefined) throw new Error('no configurations');
    const sizes = { pictureBytes: FLEET.pictureBytes, bitstreamBytes: 3_000 };
    const checks = [
      ...checkAgent(agent, agentAs(agent), CONSTANTS, sizes),
      ...checkConsumer(consumer, consumerAs(consumer), CONSTANTS),
    ].filter(({ figure }) => figure !== 'frame topic, a frame');
    expect(checks.length).toBeGreaterThan(8);
    for (const { figure, predicted, measured } of checks) {
      expect(predicted, figure).toBeCloseTo(measured, 3);
    }
  });
});
