import { readFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { PREVIEW_RANGES, type WantedPreview } from '#producers/fleet/wanted-camera.ts';
import { ConfigFile, type Place, type Section } from '#runtime/config-file.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { problemOfBroker } from '#runtime/variable-reader.ts';
import { isCameraId } from '#schemas/frame.ts';
import { type HeadsChoice, readHeads } from './heads-choice.ts';
import type { RateBounds } from './rate/profile.ts';
import {
  boundsOf,
  type RateChoice,
  type RateSettings,
  readRateChoice,
  readRateSettings,
} from './rate/rate-settings.ts';
import { parseSource } from './source-address.ts';
import type { SourceSpec } from './sources/create.ts';

/** What `camera-agent.example.yaml` explains, read and checked. */
export interface AgentSettings {
  readonly agentId: string;
  readonly bundleDirectory: string;
  /** Undefined: the bundle's default. */
  readonly ratePoint: RatePointChoice | undefined;
  readonly rate: RateSettings;
  readonly encoderWorkers: number;
  readonly threadsPerWorker: number;
  readonly brokers: readonly string[] | undefined;
  readonly topicPrefix: string;
  /** Undefined: frames wait for a broker that is away in memory only. */
  readonly spool: SpoolSettings | undefined;
  /** Share of frames that are traced, 0 to 1, of cameras that say nothing of it. */
  readonly traceSampleRatio: number;
  /** Undefined: the agent runs the cameras of its file. */
  readonly fleet: FleetSettings | undefined;
  /** Of the file, also the disabled ones; none in a fleet. */
  readonly cameras: readonly CameraSettings[];
}

export interface SpoolSettings {
  readonly directory: string;
  readonly bytesMax: number;
}

/** What the agent can do of the cameras in the registry. */
export interface FleetSettings {
  readonly camerasMax: number;
  /** Of all its cameras together. */
  readonly framesPerSecondMax: number;
  /** Where files of cameras are relative to: the folder of the config file. */
  readonly folder: string;
}

export interface CameraSettings {
  readonly id: string;
  readonly source: SourceSpec;
  readonly framesPerSecond: number;
  /** Undefined: the agent's. */
  readonly ratePoint: RatePointChoice | undefined;
  /** What it leaves out is the agent's. */
  readonly rate: RateChoice | undefined;
  /** Undefined: all of the bundle. */
  readonly heads: HeadsChoice | undefined;
  /** Undefined: the agent's. */
  readonly traceSampleRatio: number | undefined;
  /** Undefined: no picture leaves the camera. */
  readonly preview: WantedPreview | undefined;
  readonly enabled: boolean;
}

/** A rate point by name or index. Only the bundle tells if it exists, so it keeps its place. */
export interface RatePointChoice {
  readonly value: string | number;
  readonly place: Place;
}

/** The part of the environment that settings depend on. */
export interface SettingsEnvironment {
  readonly bundleDirectory: string;
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly topicPrefix: string;
  readonly lookup: (name: string) => string | undefined;
}

export const AGENT_MANUAL = 'producers/camera/camera-agent.example.yaml';

/** Reads the config file; throws one `config-invalid` that lists every mistake with its line. */
export function readAgentSettings(path: string, environment: SettingsEnvironment): AgentSettings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HalfsightError('config-invalid', `${path} cannot be read.`, {
      advice: 'Name the config file with --config FILE.',
      cause,
    });
  }
  const file = new ConfigFile(basename(path), text, AGENT_MANUAL);
  return parseAgentSettings(file, dirname(path), environment);
}

export function parseAgentSettings(
  file: ConfigFile,
  folder: string,
  environment: SettingsEnvironment,
): AgentSettings {
  const root = file.root();
  const agent = readAgent(root.section('agent'), folder, environment);
  const kafka = root.section('kafka');
  const brokers = readBrokers(kafka);
  kafka.end();
  const topics = root.section('topics');
  const prefix = topics.matching(
    'prefix',
    /^[A-Za-z0-9_-]{1,60}$/,
    '1 to 60 letters, digits, "_" or "-"',
  );
  topics.end();
  const spool = readSpool(root.section('spool'), folder);
  const rate = readRateSettings(root.section('rate'));
  const trace = root.section('trace');
  const traceSampleRatio = trace.number('sampleRatio', 0, 1) ?? 0.01;
  trace.end();
  const fleet = root.has('fleet') ? readFleet(root, folder) : undefined;
  const cameras = fleet === undefined ? readCameras(root, folder, environment) : [];
  root.end();
  file.finish();
  const isPrefixSet = environment.lookup('KAFKA_TOPIC_PREFIX') !== undefined;
  return {
    ...agent,
    brokers: environment.kafkaBrokers ?? brokers,
    topicPrefix: isPrefixSet ? environment.topicPrefix : (prefix ?? environment.topicPrefix),
    spool,
    rate,
    traceSampleRatio,
    fleet,
    cameras,
  };
}

function readSpool(section: Section, folder: string): SpoolSettings | undefined {
  const directory = section.text('directory');
  const megabytes = section.integer('megabytes', LIMITS.spoolBytesMin / MIB, 1024 * 1024);
  section.end();
  if (directory === undefined) {
    if (megabytes !== undefined) section.reject('megabytes', 'needs spool.directory');
    return undefined;
  }
  const bytesMax = megabytes === undefined ? LIMITS.spoolBytesDefault : megabytes * MIB;
  return { directory: resolve(folder, directory), bytesMax };
}

const MIB = 1024 * 1024;

type AgentPart = Pick<
  AgentSettings,
  'agentId' | 'bundleDirectory' | 'ratePoint' | 'encoderWorkers' | 'threadsPerWorker'
>;

function readAgent(agent: Section, folder: string, environment: SettingsEnvironment): AgentPart {
  const id = agent.matching('id', /^[A-Za-z0-9._-]{1,64}$/, ID_MEANING);
  const bundle = agent.text('bundle');
  const isBundleSet = environment.lookup('HALFSIGHT_BUNDLE') !== undefined || bundle === undefined;
  const ratePoint = readRatePoint(agent);
  const encoderWorkers = agent.integer('encoderWorkers', 1, LIMITS.encoderWorkersMax);
  const threadsPerWorker = agent.integer('threadsPerWorker', 1, 64) ?? 1;
  agent.end();
  return {
    agentId: id ?? hostname(),
    bundleDirectory: isBundleSet ? environment.bundleDirectory : resolve(folder, bundle),
    ratePoint,
    encoderWorkers: encoderWorkers ?? defaultWorkers(availableParallelism(), threadsPerWorker),
    threadsPerWorker,
  };
}

/** One core is left for sources, the publisher and the machine itself. */
export function defaultWorkers(cores: number, threadsPerWorker: number): number {
  return Math.min(4, Math.max(1, Math.floor((cores - 1) / threadsPerWorker)));
}

const ID_MEANING = `1 to ${LIMITS.cameraIdLengthMax} letters, digits, ".", "_" or "-"`;

function readBrokers(kafka: Section): readonly string[] | undefined {
  const brokers = kafka.texts('brokers');
  for (const broker of brokers ?? []) {
    const problem = problemOfBroker(broker);
    if (problem !== undefined) kafka.reject('brokers', problem);
  }
  return brokers;
}

function readFleet(root: Section, folder: string): FleetSettings {
  if (root.has('cameras')) {
    const problem = 'must be left out where there is "fleet": the registry has the cameras';
    root.reject('cameras', problem);
  }
  const section = root.section('fleet');
  const camerasMax = section.integer('camerasMax', 1, LIMITS.camerasPerAgentMax);
  const rateMax = LIMITS.camerasPerAgentMax * LIMITS.framesPerSecondMax;
  const framesPerSecondMax = section.number('framesPerSecondMax', 1, rateMax);
  if (framesPerSecondMax === undefined) {
    section.reject('framesPerSecondMax', 'must be given: what the encoders can do together');
  }
  section.end();
  return {
    camerasMax: camerasMax ?? LIMITS.camerasPerAgentMax,
    framesPerSecondMax: framesPerSecondMax ?? 0,
    folder,
  };
}

function readCameras(
  root: Section,
  folder: string,
  environment: SettingsEnvironment,
): readonly CameraSettings[] {
  const sections = root.sections('cameras');
  if (sections.length === 0) root.reject('cameras', 'must list at least one camera');
  const enabled: CameraSettings[] = [];
  const firstWithId = new Map<string, string>();
  const cameras = sections.map((section) => {
    const camera = readCamera(section, folder, environment);
    const first = firstWithId.get(camera.id);
    if (first !== undefined) {
      section.reject('id', `"${camera.id}" is already the id of ${first}`);
    } else if (camera.id !== '') {
      firstWithId.set(camera.id, section.path);
    }
    if (camera.enabled) enabled.push(camera);
    return camera;
  });
  if (enabled.length > LIMITS.camerasPerAgentMax) {
    const found = `${enabled.length} are enabled; start a second agent for the others`;
    root.reject(
      'cameras',
      `must be at most ${LIMITS.camerasPerAgentMax} in one agent, but ${found}`,
    );
  }
  return cameras;
}

function readCamera(
  section: Section,
  folder: string,
  environment: SettingsEnvironment,
): CameraSettings {
  const id = section.text('id');
  if (id === undefined) section.reject('id', 'must be given');
  else if (!isCameraId(id)) section.reject('id', `must be ${ID_MEANING}, but is "${id}"`);
  const enabled = section.boolean('enabled') ?? true;
  const camera = {
    id: id ?? '',
    source: readSource(section, enabled, folder, environment),
    framesPerSecond: section.number('fps', 0.1, LIMITS.framesPerSecondMax) ?? 5,
    ratePoint: readRatePoint(section),
    rate: section.has('rate') ? readRateChoice(section.section('rate')) : undefined,
    heads: readHeads(section),
    traceSampleRatio: section.number('traceSampleRatio', 0, 1),
    preview: section.has('preview') ? readPreview(section.section('preview')) : undefined,
    enabled,
  };
  section.end();
  return camera;
}

function readPreview(section: Section): WantedPreview {
  const { everySeconds: pace, width: side } = PREVIEW_RANGES;
  const everySeconds = section.number('everySeconds', pace.min, pace.max);
  const width = section.integer('width', side.min, side.max);
  // Of pictures that leave the camera nothing is taken for granted.
  for (const key of ['everySeconds', 'width']) {
    if (!section.has(key)) section.reject(key, 'must be given');
  }
  section.end();
  return { everySeconds: everySeconds ?? pace.max, width: width ?? side.min };
}

/** What stands for a source that was rejected, so that the other mistakes are found as well. */
const NO_SOURCE: SourceSpec = { kind: 'ffmpeg', url: '', loop: false };

function readSource(
  section: Section,
  isEnabled: boolean,
  folder: string,
  environment: SettingsEnvironment,
): SourceSpec {
  const loop = section.boolean('loop');
  const written = section.text('source');
  if (written === undefined) {
    section.reject('source', 'must be rtsp://..., a file, or synthetic:<scene>');
    return NO_SOURCE;
  }
  const { address, unset } = fillIn(written, environment.lookup);
  // A camera that is switched off may have no password yet.
  if (unset.length > 0 && !isEnabled) return NO_SOURCE;
  if (unset.length > 0) {
    section.reject('source', problemOfUnset(unset));
    return NO_SOURCE;
  }
  const parsed = parseSource(address, folder);
  if ('problem' in parsed) {
    section.reject('source', parsed.problem);
    return NO_SOURCE;
  }
  if (loop !== undefined && !parsed.canLoop) section.reject('loop', 'is for files only');
  return parsed.spec.kind === 'ffmpeg' ? { ...parsed.spec, loop: loop ?? false } : parsed.spec;
}

/** Puts variables of the environment in place of each `${NAME}`. */
export function fillIn(
  written: string,
  lookup: SettingsEnvironment['lookup'],
): { readonly address: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const address = written.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
    const value = lookup(name);
    if (value === undefined) unset.push(name);
    return value ?? '';
  });
  return { address, unset };
}

export function problemOfUnset(unset: readonly string[]): string {
  return `environment variable ${unset.join(', ')} is not set`;
}

function readRatePoint(section: Section): RatePointChoice | undefined {
  const value = section.textOrInteger('ratePoint');
  return value === undefined ? undefined : { value, place: section.place('ratePoint') };
}

/** The rate points that a bundle offers. */
export interface RatePoints {
  readonly defaultRatePoint: number;
  readonly ratePoints: readonly { readonly index: number; readonly name: string }[];
}

/** The index of a rate point, or what is wrong with its name. */
export function findRatePoint(
  value: string | number,
  { ratePoints }: RatePoints,
): number | { readonly problem: string } {
  const found = ratePoints.find(({ index, name }) => value === index || value === name);
  if (found !== undefined) return found.index;
  const known = ratePoints.map(({ index, name }) => `${name} (${index})`).join(', ');
  return { problem: `"${value}" is no rate point of the bundle: ${known}` };
}

/** The bounds of each camera's rate; throws `config-invalid` for rate points that are missing. */
export function chooseRates(
  settings: AgentSettings,
  offered: RatePoints,
): ReadonlyMap<string, RateBounds> {
  const problems: string[] = [];
  const choose = (value: string | number, { key, line }: Place): number => {
    const found = findRatePoint(value, offered);
    if (typeof found === 'number') return found;
    problems.push(`${key}: ${found.problem} (${line})`);
    return offered.defaultRatePoint;
  };
  const pointOf = (choice: RatePointChoice | undefined, otherwise: number) =>
    choice === undefined ? otherwise : choose(choice.value, choice.place);
  const coarsestOf = (choice: RateChoice | undefined, otherwise: number) =>
    choice?.coarsest === undefined ? otherwise : choose(choice.coarsest, choice.place);
  const { cameras: rates } = settings.rate;
  const general = pointOf(settings.ratePoint, offered.defaultRatePoint);
  const coarsest = coarsestOf(rates, offered.ratePoints.length - 1);
  const chosen = new Map(
    settings.cameras.map(({ id, ratePoint, framesPerSecond, rate }) => {
      const wanted = { ratePoint: pointOf(ratePoint, general), framesPerSecond };
      return [id, boundsOf(wanted, coarsestOf(rate, coarsest), { ...rates, ...rate })];
    }),
  );
  if (problems.length > 0) throw new HalfsightError('config-invalid', `${problems.join('; ')}.`);
  return chosen;
}
