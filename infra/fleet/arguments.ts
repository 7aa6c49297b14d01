import { parseArgs } from 'node:util';
import {
  checkCamera,
  PREVIEW_RANGES,
  problemsOfPreview,
  type WantedCamera,
  type WantedPreview,
} from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { HEAD_NAME } from '#schemas/frame.ts';
import { type NumberOptions, numberOptions } from '../number-options.ts';
import { FRAMES_PER_SECOND_DEFAULT, problemOfSource } from './camera-rules.ts';
import {
  changedRate,
  RATE_OPTIONS,
  type RateChanges,
  type RateValues,
  rateChangesOf,
} from './rate-options.ts';
import { CAMERAS_USAGE, VERB_USAGE, VERBS, type Verb } from './usage.ts';

/** What `set` changes of a camera. */
export interface CameraChanges {
  readonly source?: string;
  readonly framesPerSecond?: number;
  /** `default`: the agent's. */
  readonly ratePoint?: string | number;
  readonly rate?: RateChanges;
  /** `all`: it wants no fewer than there are. */
  readonly heads?: readonly string[] | 'all';
  /** `default`: the agent's. */
  readonly traceSampleRatio?: number | 'default';
  /** `off`: no picture leaves it. */
  readonly preview?: WantedPreview | 'off';
  /** An empty value takes the label away. */
  readonly labels: Readonly<Record<string, string>>;
}

export type CamerasCommand =
  | { readonly verb: 'help'; readonly text: string }
  | { readonly verb: 'list'; readonly json: boolean }
  | { readonly verb: 'show'; readonly id: string; readonly json: boolean }
  | { readonly verb: 'add'; readonly camera: WantedCamera; readonly json: boolean }
  | {
      readonly verb: 'set';
      readonly id: string;
      readonly changes: CameraChanges;
      readonly version: number | undefined;
      readonly json: boolean;
    }
  | {
      readonly verb: 'remove' | 'enable' | 'disable';
      readonly ids: readonly string[];
      readonly version: number | undefined;
    }
  | { readonly verb: 'drain'; readonly ids: readonly string[]; readonly timeoutMs: number };

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const SETTINGS = {
  ...{ source: TEXT, fps: TEXT, 'rate-point': TEXT, ...RATE_OPTIONS, heads: TEXT },
  ...{ 'trace-ratio': TEXT, preview: TEXT },
  label: { type: 'string', multiple: true },
} as const;

/** Throws `usage-invalid`. */
export function readCamerasArguments(args: readonly string[]): CamerasCommand {
  const [name, ...rest] = args;
  if (name === '--help' || name === undefined) return { verb: 'help', text: CAMERAS_USAGE };
  const verb = VERBS.find((known) => known === name) as Verb | undefined;
  if (verb === undefined) {
    throw wrong(`there is no command "${name}": there are ${VERBS.join(', ')}.`);
  }
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  return READERS[verb](rest);
}

const READERS: Readonly<Record<Verb, (args: readonly string[]) => CamerasCommand>> = {
  add: readAdd,
  set: readSet,
  list: (args) => {
    const { values, positionals } = parsed('list', args, { json: FLAG });
    if (positionals.length > 0) throw wrong(`list takes no "${positionals[0]}".`, 'list');
    return { verb: 'list', json: values.json === true };
  },
  show: (args) => {
    const { values, positionals } = parsed('show', args, { json: FLAG });
    return { verb: 'show', id: onlyId('show', positionals), json: values.json === true };
  },
  remove: (args) => readMany('remove', args),
  enable: (args) => readMany('enable', args),
  disable: (args) => readMany('disable', args),
  drain: (args) => {
    const { values, positionals } = parsed('drain', args, { timeout: TEXT });
    const seconds = numbersOf('drain').number('--timeout', values.timeout, 1, 3_600);
    const timeoutMs = seconds === undefined ? LIMITS.fleetDrainTimeoutMs : seconds * 1000;
    return { verb: 'drain', ids: someIds('drain', positionals), timeoutMs };
  },
};

function readAdd(args: readonly string[]): CamerasCommand {
  const options = { ...SETTINGS, disabled: FLAG, json: FLAG };
  const { values, positionals } = parsed('add', args, options);
  const id = onlyId('add', positionals);
  const changes = changesOf('add', values);
  const { source, framesPerSecond, ratePoint, rate, heads, traceSampleRatio, labels } = changes;
  const { preview } = changes;
  if (source === undefined) throw wrong('--source is missing.', 'add');
  const ownRate = changedRate(undefined, rate);
  const camera = {
    id,
    source,
    framesPerSecond: framesPerSecond ?? FRAMES_PER_SECOND_DEFAULT,
    ...(ratePoint === undefined || ratePoint === 'default' ? {} : { ratePoint }),
    ...(ownRate === undefined ? {} : { rate: ownRate }),
    ...(heads === undefined || heads === 'all' ? {} : { heads }),
    ...(typeof traceSampleRatio === 'number' && { traceSampleRatio }),
    ...(typeof preview === 'object' && { preview }),
    enabled: values.disabled !== true,
    labels,
  };
  checkCamera(camera);
  return { verb: 'add', camera, json: values.json === true };
}

function readSet(args: readonly string[]): CamerasCommand {
  const options = { ...SETTINGS, version: TEXT, json: FLAG };
  const { values, positionals } = parsed('set', args, options);
  const id = onlyId('set', positionals);
  const changes = changesOf('set', values);
  if (Object.keys(changes).length === 1 && Object.keys(changes.labels).length === 0) {
    throw wrong('say what to change.', 'set');
  }
  const version = versionOf('set', values.version);
  return { verb: 'set', id, changes, version, json: values.json === true };
}

function readMany(verb: 'remove' | 'enable' | 'disable', args: readonly string[]): CamerasCommand {
  const { values, positionals } = parsed(verb, args, { version: TEXT });
  const ids = someIds(verb, positionals);
  const version = versionOf(verb, values.version);
  if (version !== undefined && ids.length > 1) throw wrong('--version is of one camera.', verb);
  return { verb, ids, version };
}

interface SettingValues extends RateValues {
  readonly source?: string | undefined;
  readonly fps?: string | undefined;
  readonly 'rate-point'?: string | undefined;
  readonly heads?: string | undefined;
  readonly 'trace-ratio'?: string | undefined;
  readonly preview?: string | undefined;
  readonly label?: readonly string[] | undefined;
}

function changesOf(verb: Verb, values: SettingValues): CameraChanges {
  const { source, fps, 'rate-point': ratePoint, heads, preview, label = [] } = values;
  if (source !== undefined) checkSource(verb, source);
  const numbers = numbersOf(verb);
  const framesPerSecond = numbers.number('--fps', fps, 0.1, LIMITS.framesPerSecondMax);
  const rate = rateChangesOf(values, numbers, (message) => wrong(message, verb));
  const ratioText = values['trace-ratio'];
  const traceSampleRatio =
    ratioText === 'default' ? ratioText : numbers.number('--trace-ratio', ratioText, 0, 1);
  return {
    ...(source === undefined ? {} : { source }),
    ...(framesPerSecond === undefined ? {} : { framesPerSecond }),
    ...(ratePoint === undefined ? {} : { ratePoint: nameOrIndex(ratePoint) }),
    ...(rate === undefined ? {} : { rate }),
    ...(heads === undefined ? {} : { heads: headsOf(verb, heads) }),
    ...(traceSampleRatio === undefined ? {} : { traceSampleRatio }),
    ...(preview === undefined ? {} : { preview: previewOf(verb, preview) }),
    labels: Object.fromEntries(label.map((pair) => labelOf(verb, pair))),
  };
}

function checkSource(verb: Verb, written: string): void {
  const problem = problemOfSource(written);
  if (problem === undefined) return;
  throw wrong(`--source ${problem}.`.replace('?.', '?'), verb);
}

function headsOf(verb: Verb, text: string): readonly string[] | 'all' {
  if (text === 'all') return 'all';
  const names = text.split(',');
  if (names.every((name) => HEAD_NAME.test(name))) return names;
  throw wrong(`--heads must be "all" or NAME,NAME, but is "${text}".`, verb);
}

/** `SECONDS,PIXELS`: of pictures that leave the camera neither is taken for granted. */
function previewOf(verb: Verb, text: string): WantedPreview | 'off' {
  if (text === 'off') return text;
  const [everySeconds, width, ...more] = text.split(',').map(Number);
  const { everySeconds: pace, width: side } = PREVIEW_RANGES;
  const preview = { everySeconds: everySeconds ?? Number.NaN, width: width ?? Number.NaN };
  if (more.length === 0 && problemsOfPreview(preview).length === 0) return preview;
  const [seconds, pixels] = [`${pace.min} to ${pace.max}`, `${side.min} to ${side.max}`];
  const message = `--preview must be "off" or SECONDS,PIXELS, ${seconds} and ${pixels}`;
  throw wrong(`${message}, but is "${text}".`, verb);
}

function nameOrIndex(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function labelOf(verb: Verb, pair: string): readonly [key: string, value: string] {
  const at = pair.indexOf('=');
  if (at < 1) throw wrong(`--label must be KEY=VALUE, but is "${pair}".`, verb);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function parsed<const Options extends NonNullable<Parameters<typeof parseArgs>[0]>['options']>(
  verb: Verb,
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw wrong(`${(error as Error).message}.`, verb);
  }
}

function onlyId(verb: Verb, positionals: readonly string[]): string {
  const [id, ...more] = positionals;
  if (id !== undefined && more.length === 0) return id;
  throw wrong(`${verb} takes the id of one camera.`, verb);
}

function someIds(verb: Verb, positionals: readonly string[]): readonly string[] {
  if (positionals.length > 0) return [...new Set(positionals)];
  throw wrong(`${verb} takes the ids of cameras.`, verb);
}

function versionOf(verb: Verb, text: string | undefined): number | undefined {
  return numbersOf(verb).whole('--version', text, 1, Number.MAX_SAFE_INTEGER);
}

function numbersOf(verb: Verb): NumberOptions {
  return numberOptions((message) => wrong(message, verb));
}

function wrong(message: string, verb?: Verb): HalfsightError {
  const advice = `See npx halfsight cameras ${verb === undefined ? '' : `${verb} `}--help.`;
  return new HalfsightError('usage-invalid', message, { advice });
}
