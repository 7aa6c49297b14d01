import { RATE_RANGES, type WantedRate } from '#producers/fleet/wanted-camera.ts';
import { type CommandLine, TEXT } from '#runtime/command-line.ts';

/** What `add` and `set` say of a camera's rate; `default`: the agent's. */
export type RateChanges = {
  readonly [Key in keyof WantedRate]?: WantedRate[Key] | 'default';
};

export const RATE_OPTIONS = {
  ...{ adaptive: TEXT, coarsest: TEXT, 'fps-min': TEXT },
  ...{ 'bytes-per-second': TEXT, 'bytes-per-frame': TEXT },
} as const;

export type RateValues = { readonly [Name in keyof typeof RATE_OPTIONS]?: string | undefined };

/** Undefined where nothing is said. */
export function rateChangesOf(values: RateValues, line: CommandLine): RateChanges | undefined {
  const number = (name: keyof RateValues, key: keyof typeof RATE_RANGES) => {
    const { min, max } = RATE_RANGES[key];
    const text = values[name];
    return text === 'default' ? text : line.number(`--${name}`, text, min, max);
  };
  const { coarsest } = values;
  const adaptive = line.oneOf('--adaptive', values.adaptive, ['on', 'off', 'default']);
  const said = {
    adaptive: adaptive === 'default' ? adaptive : adaptive && adaptive === 'on',
    coarsest: coarsest && /^\d+$/.test(coarsest) ? Number(coarsest) : coarsest,
    framesPerSecondMin: number('fps-min', 'framesPerSecondMin'),
    bytesPerSecondMax: number('bytes-per-second', 'bytesPerSecondMax'),
    bytesPerFrameMax: number('bytes-per-frame', 'bytesPerFrameMax'),
  };
  const changes = Object.entries(said).filter(([, value]) => value !== undefined);
  return changes.length === 0 ? undefined : (Object.fromEntries(changes) as RateChanges);
}

/** Undefined where nothing is left that is not the agent's. */
export function changedRate(
  rate: WantedRate | undefined,
  changes: RateChanges | undefined,
): WantedRate | undefined {
  const left = Object.entries({ ...rate, ...changes }).filter(([, value]) => value !== 'default');
  return left.length === 0 ? undefined : (Object.fromEntries(left) as WantedRate);
}
