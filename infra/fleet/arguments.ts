import {
  checkCamera,
  PREVIEW_RANGES,
  problemsOfPreview,
  type WantedCamera,
  type WantedPreview,
} from '#producers/fleet/wanted-camera.ts';
import { CommandLine, FLAG, TEXT, TEXTS } from '#runtime/command-line.ts';
import { LIMITS } from '#runtime/limits.ts';
import { HEAD_NAME } from '#schemas/frame.ts';
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

const SETTINGS = {
  ...{ source: TEXT, fps: TEXT, 'rate-point': TEXT, ...RATE_OPTIONS, heads: TEXT },
  ...{ 'trace-ratio': TEXT, preview: TEXT, label: TEXTS },
} as const;

/** Throws `usage-invalid`. */
export function readCamerasArguments(args: readonly string[]): CamerasCommand {
  const [name, ...rest] = args;
  if (name === '--help' || name === undefined) return { verb: 'help', text: CAMERAS_USAGE };
  const verb = new CommandLine('See npx halfsight cameras --help.').verb(name, VERBS);
  if (rest.includes('--help')) return { verb: 'help', text: VERB_USAGE[verb] };
  return READERS[verb](rest, new CommandLine(`See npx halfsight cameras ${verb} --help.`));
}

type Reader = (args: readonly string[], line: CommandLine) => CamerasCommand;

const READERS: Readonly<Record<Verb, Reader>> = {
  add: readAdd,
  set: readSet,
  list: (args, line) => {
    const { values, positionals } = line.read(args, { json: FLAG });
    line.noWord('list', positionals);
    return { verb: 'list', json: values.json === true };
  },
  show: (args, line) => {
    const { values, positionals } = line.read(args, { json: FLAG });
    const id = line.oneWord('show', positionals, 'the id of one camera');
    return { verb: 'show', id, json: values.json === true };
  },
  remove: (args, line) => readMany('remove', args, line),
  enable: (args, line) => readMany('enable', args, line),
  disable: (args, line) => readMany('disable', args, line),
  drain: (args, line) => {
    const { values, positionals } = line.read(args, { timeout: TEXT });
    const seconds = line.number('--timeout', values.timeout, 1, 3_600);
    const timeoutMs = seconds === undefined ? LIMITS.fleetDrainTimeoutMs : seconds * 1000;
    return { verb: 'drain', ids: someIds('drain', positionals, line), timeoutMs };
  },
};

function readAdd(args: readonly string[], line: CommandLine): CamerasCommand {
  const options = { ...SETTINGS, disabled: FLAG, json: FLAG };
  const { values, positionals } = line.read(args, options);
  const id = line.oneWord('add', positionals, 'the id of one camera');
  const changes = changesOf(values, line);
  const { framesPerSecond, ratePoint, rate, heads, traceSampleRatio, preview, labels } = changes;
  const ownRate = changedRate(undefined, rate);
  const camera = {
    id,
    source: line.needed('--source', changes.source),
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

function readSet(args: readonly string[], line: CommandLine): CamerasCommand {
  const options = { ...SETTINGS, version: TEXT, json: FLAG };
  const { values, positionals } = line.read(args, options);
  const id = line.oneWord('set', positionals, 'the id of one camera');
  const changes = changesOf(values, line);
  if (Object.keys(changes).length === 1 && Object.keys(changes.labels).length === 0) {
    throw line.wrong('say what to change.');
  }
  const version = versionOf(values.version, line);
  return { verb: 'set', id, changes, version, json: values.json === true };
}

function readMany(
  verb: 'remove' | 'enable' | 'disable',
  args: readonly string[],
  line: CommandLine,
): CamerasCommand {
  const { values, positionals } = line.read(args, { version: TEXT });
  const ids = someIds(verb, positionals, line);
  const version = versionOf(values.version, line);
  if (version !== undefined && ids.length > 1) throw line.wrong('--version is of one camera.');
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

function changesOf(values: SettingValues, line: CommandLine): CameraChanges {
  const { source, fps, 'rate-point': ratePoint, heads, preview, label = [] } = values;
  if (source !== undefined) checkSource(source, line);
  const framesPerSecond = line.number('--fps', fps, 0.1, LIMITS.framesPerSecondMax);
  const rate = rateChangesOf(values, line);
  const ratioText = values['trace-ratio'];
  const traceSampleRatio =
    ratioText === 'default' ? ratioText : line.number('--trace-ratio', ratioText, 0, 1);
  return {
    ...(source === undefined ? {} : { source }),
    ...(framesPerSecond === undefined ? {} : { framesPerSecond }),
    ...(ratePoint === undefined ? {} : { ratePoint: nameOrIndex(ratePoint) }),
    ...(rate === undefined ? {} : { rate }),
    ...(heads === undefined ? {} : { heads: headsOf(heads, line) }),
    ...(traceSampleRatio === undefined ? {} : { traceSampleRatio }),
    ...(preview === undefined ? {} : { preview: previewOf(preview, line) }),
    labels: Object.fromEntries(label.map((pair) => labelOf(pair, line))),
  };
}

function checkSource(written: string, line: CommandLine): void {
  const problem = problemOfSource(written);
  if (problem === undefined) return;
  throw line.wrong(`--source ${problem}.`.replace('?.', '?'));
}

function headsOf(text: string, line: CommandLine): readonly string[] | 'all' {
  if (text === 'all') return 'all';
  const names = text.split(',');
  if (names.every((name) => HEAD_NAME.test(name))) return names;
  throw line.wrong(`--heads must be "all" or NAME,NAME, but is "${text}".`);
}

/** `SECONDS,PIXELS`: of pictures that leave the camera neither is taken for granted. */
function previewOf(text: string, line: CommandLine): WantedPreview | 'off' {
  if (text === 'off') return text;
  const [everySeconds, width, ...more] = text.split(',').map(Number);
  const { everySeconds: pace, width: side } = PREVIEW_RANGES;
  const preview = { everySeconds: everySeconds ?? Number.NaN, width: width ?? Number.NaN };
  if (more.length === 0 && problemsOfPreview(preview).length === 0) return preview;
  const [seconds, pixels] = [`${pace.min} to ${pace.max}`, `${side.min} to ${side.max}`];
  const message = `--preview must be "off" or SECONDS,PIXELS, ${seconds} and ${pixels}`;
  throw line.wrong(`${message}, but is "${text}".`);
}

function nameOrIndex(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function labelOf(pair: string, line: CommandLine): readonly [key: string, value: string] {
  const at = pair.indexOf('=');
  if (at < 1) throw line.wrong(`--label must be KEY=VALUE, but is "${pair}".`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function someIds(verb: Verb, positionals: readonly string[], line: CommandLine): readonly string[] {
  if (positionals.length > 0) return [...new Set(positionals)];
  throw line.wrong(`${verb} takes the ids of cameras.`);
}

function versionOf(text: string | undefined, line: CommandLine): number | undefined {
  return line.whole('--version', text, 1, Number.MAX_SAFE_INTEGER);
}
