import { RATE_RANGES, type WantedRate } from '#producers/fleet/wanted-camera.ts';
import type { Place, Section } from '#runtime/config-file.ts';
import { LIMITS } from '#runtime/limits.ts';
import { LAW } from './law.ts';
import type { RateBounds } from './profile.ts';

/** What the agent's `rate` section says: of all cameras, and of itself. */
export interface RateSettings {
  readonly cameras: RateChoice;
  /** Undefined: consumers' lag does not count. */
  readonly lag: { readonly groupId: string; readonly lagMsMax: number } | undefined;
}

/** A `rate` section as it is written. Only the bundle tells if its rate point exists. */
export interface RateChoice extends WantedRate {
  /** Where `coarsest` stands. */
  readonly place: Place;
}

export function readRateSettings(section: Section): RateSettings {
  const groupId = section.text('lagGroup');
  const lagMaxMs = LAW.markIntervalMs * LAW.marksMax;
  const [min, max] = [LAW.lagIntervalMs / 1000, lagMaxMs / 1000];
  const lagSecondsMax = section.number('lagSecondsMax', min, max);
  if (groupId === undefined && lagSecondsMax !== undefined) {
    section.reject('lagSecondsMax', 'needs rate.lagGroup');
  }
  const lagMsMax = lagSecondsMax === undefined ? LAW.lagMsDefault : lagSecondsMax * 1000;
  return {
    cameras: readRateChoice(section),
    lag: groupId === undefined ? undefined : { groupId, lagMsMax },
  };
}

/** Of one camera, or of all of them. */
export function readRateChoice(section: Section): RateChoice {
  const number = (key: keyof typeof RATE_RANGES) => {
    const { min, max } = RATE_RANGES[key];
    return section.number(key, min, max);
  };
  const choice = {
    adaptive: section.boolean('adaptive'),
    coarsest: section.textOrInteger('coarsest'),
    bytesPerSecondMax: number('bytesPerSecondMax'),
    framesPerSecondMin: number('framesPerSecondMin'),
    bytesPerFrameMax: number('bytesPerFrameMax'),
  };
  const place = section.place('coarsest');
  section.end();
  return { ...given(choice), place };
}

/** A frame a second tells still what happens, and is a fifth of what cameras usually give. */
const FRAMES_PER_SECOND_MIN = 1;

/** `coarsest`: index of a rate point; one that is finer than `finest` leaves no choice. */
export function boundsOf(
  wanted: { readonly ratePoint: number; readonly framesPerSecond: number },
  coarsest: number,
  rate: WantedRate,
): RateBounds {
  const { ratePoint, framesPerSecond } = wanted;
  const framesPerSecondMin = rate.framesPerSecondMin ?? FRAMES_PER_SECOND_MIN;
  return {
    finest: ratePoint,
    coarsest: Math.max(ratePoint, coarsest),
    framesPerSecondMax: framesPerSecond,
    framesPerSecondMin: Math.min(framesPerSecondMin, framesPerSecond),
    bytesPerSecondMax: rate.bytesPerSecondMax ?? Number.POSITIVE_INFINITY,
    bytesPerFrameMax: rate.bytesPerFrameMax ?? LIMITS.bitstreamBytesMaxDefault,
    adaptive: rate.adaptive ?? true,
  };
}

/** Without what is not given, so that it leaves in place what it is laid over. */
function given(choice: { readonly [Key in keyof WantedRate]: WantedRate[Key] | undefined }) {
  return Object.fromEntries(
    Object.entries(choice).filter(([, value]) => value !== undefined),
  ) as WantedRate;
}
