import type { StoredCamera, WantedRate } from '#producers/fleet/wanted-camera.ts';
import { HalfsightError } from '#runtime/errors.ts';
import { findHeads, type OfferedHeads } from './heads-choice.ts';
import type { RateBounds } from './rate/profile.ts';
import { boundsOf } from './rate/rate-settings.ts';
import {
  type CameraSettings,
  fillIn,
  findRatePoint,
  problemOfUnset,
  type RatePoints,
  type SettingsEnvironment,
} from './settings.ts';
import { type ParsedSource, parseSource } from './source-address.ts';

/** What this agent has that a camera of the registry is read with. */
export interface RegisteredCameraReader {
  /** Where files are relative to. */
  readonly folder: string;
  readonly lookup: SettingsEnvironment['lookup'];
  /** Of cameras that name none; undefined: the bundle's. */
  readonly ratePoint: string | number | undefined;
  /** Of cameras that say less. */
  readonly rate: WantedRate;
  readonly offered: RatePoints & OfferedHeads;
}

/** A camera as this agent runs it, or why it cannot, without any password. */
export type RegisteredCamera =
  | {
      readonly settings: CameraSettings;
      readonly bounds: RateBounds;
      /** Null: all of the bundle. */
      readonly heads: readonly string[] | null;
    }
  | { readonly problem: string };

export function readRegisteredCamera(
  camera: StoredCamera,
  reader: RegisteredCameraReader,
): RegisteredCamera {
  const { id, framesPerSecond, traceSampleRatio, preview, enabled } = camera;
  const source = readSource(camera.source, reader);
  if ('problem' in source) return { problem: `source: ${source.problem}` };
  const choice = camera.ratePoint ?? reader.ratePoint ?? reader.offered.defaultRatePoint;
  const ratePoint = findRatePoint(choice, reader.offered);
  if (typeof ratePoint !== 'number') return { problem: `ratePoint: ${ratePoint.problem}` };
  const rate = { ...reader.rate, ...camera.rate };
  const last = reader.offered.ratePoints.length - 1;
  const coarsest = findRatePoint(rate.coarsest ?? last, reader.offered);
  if (typeof coarsest !== 'number') return { problem: `rate.coarsest: ${coarsest.problem}` };
  const heads = camera.heads === undefined ? null : findHeads(camera.heads, reader.offered);
  if (heads !== null && 'problem' in heads) return { problem: `heads: ${heads.problem}` };
  const own = { ratePoint: undefined, rate: undefined, heads: undefined };
  const common = { traceSampleRatio, preview, enabled };
  return {
    settings: { id, source: source.spec, framesPerSecond, ...own, ...common },
    bounds: boundsOf({ ratePoint, framesPerSecond }, coarsest, rate),
    heads,
  };
}

function readSource(
  written: string,
  { folder, lookup }: Pick<RegisteredCameraReader, 'folder' | 'lookup'>,
): ParsedSource {
  try {
    const { address, unset } = fillIn(written, lookup);
    return unset.length > 0 ? { problem: problemOfUnset(unset) } : parseSource(address, folder);
  } catch (error) {
    // NAME and NAME_FILE are both set, say.
    if (!(error instanceof HalfsightError)) throw error;
    return { problem: error.message };
  }
}
