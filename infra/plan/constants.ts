import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HalfsightError } from '#runtime/errors.ts';

/**
 * Every measured figure that a plan is made of, by section, with its meaning. Processor times are
 * microseconds of the machine that the section's source names; the values are in constants.json.
 */
export const FIGURES = {
  agent: {
    encodeUs:
      'of all threads for encoding a frame, the way to the encoder thread and back included',
    frameUs: 'of all threads for all else that a frame needs, its send aside',
    mainFrameUs: 'as frameUs, of the main thread alone',
    sendUs: 'of the main thread, which alone works for it, for a request to the broker',
    residentMib: 'memory of an agent with one encoder thread, pictures of its cameras aside',
  },
  engine: {
    threads: 'cores that an engine computes on (HALFSIGHT_THREADS)',
    decodeUs: 'of the entropy decoder, which works beside the models',
    bodyUs: 'of the body, each thread',
    classificationUs: 'of this head and the reading of its output, each thread',
    detectionUs: 'of this head and the reading of its output, each thread',
    segmentationUs: 'of this head and the reading of its output, each thread',
    residentMib: 'memory of an engine process with all heads',
  },
  consumer: {
    mainFrameUs: 'of the main thread for a frame from fetch to batch',
    mainResultUs: 'of the main thread for one result of a frame',
    mainTransactionUs: 'of the main thread for a transaction',
    frameUs: 'as mainFrameUs, of all threads but the engine process',
    resultUs: 'as mainResultUs, of all threads but the engine process',
    transactionUs: 'as mainTransactionUs, of all threads but the engine process',
    mainCpuEngineUs:
      'of the main thread to hand a frame to an engine that takes few a second, and for all that ' +
      'takes longer where so little happens (cold caches)',
    cpuEngineUs: 'as mainCpuEngineUs, of all threads but the engine process',
    mainGpuEngineUs:
      'of the main thread to hand a frame to an engine that takes hundreds a second (measured ' +
      'with a model that computes next to nothing)',
    gpuEngineUs: 'as mainGpuEngineUs, of all threads but the engine process',
    mainIdleUs: 'of the main thread in a second without frames',
    idleUs: 'as mainIdleUs, of all threads but the engine process',
    mainShareMax: 'of its time that the main thread is busy where nothing else is the limit',
    commitMs: 'that a transaction takes, during which its lane begins no other',
    acquireFirstMs: 'to take over partitions from whoever had them, however few',
    acquireMs: 'and for each of them, many at a time',
    residentMib: 'memory of a consumer without its engine',
  },
  broker: {
    sendUs: 'for a request of an agent, with the records in it; one broker that copies to nobody',
    frameUs: 'to hand out a frame and take its results',
    transactionUs: 'for a transaction of a consumer',
    consumerUs: 'in a second, for the questions of a consumer that has nothing to do',
  },
  bytes: {
    frameOverhead: 'record of a frame on its topic, without its bitstream',
    classification: 'record of a result of this head',
    detection: 'record of a result of this head',
    segmentation: 'record of a result of this head',
    status: 'record of the status of a camera',
    transaction: "a transaction on Kafka's own topics, without the note of the position",
  },
  recovery: {
    partitionsPerConsumer: 'in the run that the others come from',
    killedMs: 'median time until all cameras have results again after kill -9 of a consumer',
    joinedMs: 'likewise, after a consumer joined',
    leftMs: 'likewise, after a consumer left in good order',
  },
} as const;

type Figures = typeof FIGURES;
export type SectionName = keyof Figures;

/** Where the figures of a section were measured. */
export interface FiguresSource {
  /** The command, and where its report is kept. */
  readonly from: string;
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
}

export type Constants = {
  readonly [Name in SectionName]: Readonly<Record<keyof Figures[Name], number>>;
} & {
  /** Name and version: another bundle computes and sends other amounts. */
  readonly bundle: string;
  readonly sources: Readonly<Record<SectionName, FiguresSource>>;
};

export const SHIPPED_CONSTANTS = join(import.meta.dirname, 'constants.json');
export const SECTION_NAMES = Object.keys(FIGURES) as SectionName[];

/** Reads what `npm run bench -- plan --fit` printed; throws `config-invalid` naming the figure. */
export function readConstants(file: string): Constants {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw invalid(file, `cannot be read (${(cause as Error).message})`);
  }
  return parseConstants(json, file);
}

export function parseConstants(json: unknown, file: string): Constants {
  const root = objectOf(json);
  if (typeof root.bundle !== 'string') throw invalid(file, 'does not name its "bundle"');
  for (const section of SECTION_NAMES) {
    const { from, date, commit, cpu, cores, node } = objectOf(objectOf(root.sources)[section]);
    if (
      ![from, date, commit, cpu, node].every((text) => typeof text === 'string') ||
      !(Number(cores) > 0)
    ) {
      throw invalid(file, `does not say in "sources.${section}" where that was measured`);
    }
    for (const name of Object.keys(FIGURES[section])) {
      const value = objectOf(root[section])[name];
      if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) continue;
      throw invalid(file, `has no number from 0 as "${section}.${name}"`);
    }
  }
  return json as Constants;
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
}

function invalid(file: string, problem: string): HalfsightError {
  return new HalfsightError('config-invalid', `${file} ${problem}.`, {
    advice: 'Such a file is made by: npm run bench -- plan --fit > FILE',
  });
}
