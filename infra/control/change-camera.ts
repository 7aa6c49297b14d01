import { FRAMES_PER_SECOND_DEFAULT, problemOfSource } from '#infra/fleet/camera-rules.ts';
import { shownSource } from '#infra/fleet/text.ts';
import type { Registry } from '#producers/fleet/registry.ts';
import type { StoredCamera, WantedCamera, WantedRate } from '#producers/fleet/wanted-camera.ts';
import { codeOf, HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import type { CameraPatchBody, CameraPutBody } from './camera-schemas.ts';
import type { Preconditions } from './preconditions.ts';
import { Problem } from './problem.ts';

export interface CameraChange {
  readonly before: StoredCamera | undefined;
  readonly after: StoredCamera;
}

/**
 * Puts what `decide` makes of the camera as it is. Where somebody else changes it meanwhile it is
 * decided again, on the preconditions too: so a client that named a version hears of that.
 */
export async function changeCamera(
  registry: Registry,
  id: string,
  preconditions: Preconditions,
  decide: (before: StoredCamera | undefined) => WantedCamera,
): Promise<CameraChange> {
  for (let tries = 1; ; tries++) {
    const before = await registry.get(id);
    preconditions.check(id, before?.version);
    const wanted = decide(before);
    try {
      const version = await registry.put(wanted, before?.version ?? 0);
      return { before, after: { ...wanted, version } };
    } catch (error) {
      if (codeOf(error) !== 'camera-conflict' || tries >= LIMITS.controlChangeTriesMax) throw error;
    }
  }
}

/** The camera that was removed. Throws `camera-missing`. */
export async function removeCamera(
  registry: Registry,
  id: string,
  preconditions: Preconditions,
): Promise<StoredCamera> {
  for (let tries = 1; ; tries++) {
    const before = await registry.get(id);
    preconditions.check(id, before?.version);
    if (before === undefined) throw missing(id);
    try {
      await registry.remove(id, before.version);
      return before;
    } catch (error) {
      if (codeOf(error) !== 'camera-conflict' || tries >= LIMITS.controlChangeTriesMax) throw error;
    }
  }
}

export function missing(id: string): HalfsightError {
  return new HalfsightError('camera-missing', `the registry has no camera "${id}".`, {
    advice: 'GET /v1/cameras lists those that it has.',
  });
}

/** What PUT makes of a camera. */
export function replaced(
  id: string,
  body: CameraPutBody,
  before: StoredCamera | undefined,
): WantedCamera {
  const { id: said, version, source, rate, ...given } = body;
  if (said !== undefined && said !== id) {
    throw invalid('#/id', `is ${said}, and the path says ${id}`);
  }
  if (version !== undefined && version !== before?.version) {
    const found = before === undefined ? 'is not there' : `has version ${before.version}`;
    throw new Problem('precondition-failed', `camera ${id} ${found}, not version ${version}.`, {
      advice: 'Read it again, and decide again; or leave "version" out.',
    });
  }
  return {
    ...{ id, source: meantSource(source, before) },
    ...{ framesPerSecond: FRAMES_PER_SECOND_DEFAULT, enabled: true, labels: {} },
    ...given,
    ...saidRate(rate),
  };
}

/** What PATCH makes of a camera (RFC 7396). */
export function patched(patch: CameraPatchBody, before: StoredCamera): WantedCamera {
  const { version: _, ...wanted } = before;
  const source = patch.source ?? shownSource(before.source);
  const merged = merge(wanted, patch) as unknown as WantedCamera;
  const { rate, ...others } = merged;
  return { ...others, source: meantSource(source, before), ...saidRate(rate) };
}

type JsonObject = Readonly<Record<string, unknown>>;

function merge(target: object, patch: object): JsonObject {
  const merged = new Map(Object.entries(target));
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) merged.delete(key);
    else merged.set(key, isObject(change) ? merge(merged.get(key) ?? {}, change) : change);
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Without what says nothing. */
function saidRate(rate: WantedRate | undefined): { readonly rate?: WantedRate } {
  return rate === undefined || Object.keys(rate).length === 0 ? {} : { rate };
}

/** The source that is meant: a password that was answered as `***` comes back as that. */
function meantSource(written: string, before: StoredCamera | undefined): string {
  if (before !== undefined && written === shownSource(before.source)) return before.source;
  if (written.includes('***')) {
    throw invalid('#/source', `holds *** in place of a password: write it, or \${NAME}`);
  }
  const problem = problemOfSource(written);
  if (problem !== undefined) throw invalid('#/source', problem);
  return written;
}

function invalid(pointer: string, detail: string): Problem {
  return new Problem('request-invalid', `${pointer.slice(2)} ${detail}.`.replace('?.', '?'), {
    mistakes: [{ pointer, detail }],
  });
}
