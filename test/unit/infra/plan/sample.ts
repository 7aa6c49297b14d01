import { type Constants, parseConstants, SECTION_NAMES } from '#infra/plan/constants.ts';
import type { Fleet } from '#infra/plan/fleet.ts';

const SOURCE = {
  ...{ from: 'a test', date: '2026-01-01', commit: 'abc', cpu: 'a processor', cores: 2 },
  node: 'v24',
};

/** Round numbers, so that a plan can be followed in the head. */
export const CONSTANTS: Constants = parseConstants(
  {
    bundle: 'sample 1',
    sources: Object.fromEntries(SECTION_NAMES.map((name) => [name, SOURCE])),
    agent: {
      ...{ encodeUs: 10_000, frameUs: 100, mainFrameUs: 50, sendUs: 100 },
      residentMib: 100,
    },
    engine: {
      ...{ threads: 1, decodeUs: 200, bodyUs: 10_000, classificationUs: 3_000 },
      ...{ detectionUs: 5_000, segmentationUs: 7_000, residentMib: 150 },
    },
    consumer: {
      ...{ mainFrameUs: 200, mainResultUs: 50, mainTransactionUs: 500 },
      ...{ frameUs: 300, resultUs: 60, transactionUs: 600, commitMs: 20, acquireMs: 10 },
      ...{ mainCpuEngineUs: 900, cpuEngineUs: 1_000, mainGpuEngineUs: 150, gpuEngineUs: 200 },
      ...{ mainIdleUs: 4_000, idleUs: 5_000, mainShareMax: 0.8, acquireFirstMs: 50 },
      residentMib: 200,
    },
    broker: { sendUs: 100, frameUs: 20, transactionUs: 500, consumerUs: 6_000 },
    bytes: {
      ...{ frameOverhead: 150, classification: 400, detection: 500, segmentation: 800 },
      ...{ status: 200, transaction: 600 },
    },
    recovery: { partitionsPerConsumer: 3, killedMs: 13_000, joinedMs: 4_000, leftMs: 1_500 },
  },
  'the sample',
);

export const FLEET: Fleet = {
  cameras: 1_000,
  framesPerSecond: 5,
  heads: ['detection', 'segmentation'],
  bitstreamBytes: 3_000,
  pictureBytes: 416 * 416 * 3,
  retentionHours: 24,
  replication: 3,
  utilisation: 0.7,
  growth: 2,
  subscribers: 1,
  camerasPerAgent: undefined,
  outageMinutes: 10,
  gpuFramesPerSecond: undefined,
  brokerCores: 8,
  brokerMegabytesPerSecond: 100,
};
