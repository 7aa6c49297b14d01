import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { HEAD_NAME, isCameraId } from '#schemas/frame.ts';

/** A camera as an operator wants it to run, on whichever agent. */
export interface WantedCamera {
  readonly id: string;
  /**
   * `rtsp://...`, a file or `synthetic:<scene>`, as in an agent's config file. `${NAME}` stands for
   * a variable of the agent's environment, so that no password is in the registry.
   */
  readonly source: string;
  readonly framesPerSecond: number;
  /** By name or index; left out: the agent's. */
  readonly ratePoint?: string | number;
  /** How far it may give way; what is left out is the agent's. */
  readonly rate?: WantedRate;
  readonly enabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Tasks of those that are wanted of its frames, at least one; left out: all of the bundle. */
  readonly heads?: readonly string[];
  /** Share of its frames that are traced, 0 to 1; left out: the agent's. */
  readonly traceSampleRatio?: number;
  /** That small pictures of it may leave it; left out: none does. */
  readonly preview?: WantedPreview;
}

/** Within what rate control may move a camera; `ratePoint` is the finest. */
export interface WantedRate {
  /** Whether it gives way to a thin link, and to consumers that lag behind. */
  readonly adaptive?: boolean;
  /** Of its records' values. */
  readonly bytesPerSecondMax?: number;
  /** A rate point by name or index. */
  readonly coarsest?: string | number;
  readonly framesPerSecondMin?: number;
  /** Of a bitstream. */
  readonly bytesPerFrameMax?: number;
}

export interface WantedPreview {
  readonly everySeconds: number;
  /** What the longer side of the picture is made to fit in, pixels. */
  readonly width: number;
}

/** A camera in the registry. */
export interface StoredCamera extends WantedCamera {
  /** Grows with each change, also where the camera was removed and put again. */
  readonly version: number;
}

/** Both ends belong to it. */
export const FRAMES_PER_SECOND = { min: 0.1, max: LIMITS.framesPerSecondMax } as const;
/** As above. */
export const RATE_RANGES = {
  bytesPerSecondMax: { min: LIMITS.rateBudgetBytesMin, max: LIMITS.rateBudgetBytesMax },
  framesPerSecondMin: FRAMES_PER_SECOND,
  bytesPerFrameMax: {
    min: LIMITS.bitstreamBytesMaxMin,
    max: LIMITS.frameRecordBytesMax - LIMITS.frameRecordAroundBytesMax,
  },
} as const;

/** As above; a width is a whole number. */
export const PREVIEW_RANGES = {
  everySeconds: { min: LIMITS.previewSecondsMin, max: LIMITS.previewSecondsMax },
  width: { min: LIMITS.previewSideMin, max: LIMITS.previewSideMax },
} as const;

/** Keys and values of labels, and the names of rate points. */
export const LABEL = /^[A-Za-z0-9._/-]{1,64}$/;

/** Throws one `camera-invalid` that lists every mistake. */
export function checkCamera(camera: WantedCamera): void {
  const { id, source, framesPerSecond, ratePoint, rate = {}, labels, heads } = camera;
  const { traceSampleRatio = 0, preview } = camera;
  const problems: string[] = [];
  const demand = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(problem);
  };
  demand(
    isCameraId(id),
    `id must be 1 to ${LIMITS.cameraIdLengthMax} letters, digits, ".", "_" or "-"`,
  );
  demand(
    source.length > 0 && source.length <= LIMITS.cameraSourceLengthMax,
    `source must be an address of at most ${LIMITS.cameraSourceLengthMax} characters`,
  );
  demand(
    framesPerSecond >= FRAMES_PER_SECOND.min && framesPerSecond <= FRAMES_PER_SECOND.max,
    `framesPerSecond must be ${FRAMES_PER_SECOND.min} to ${FRAMES_PER_SECOND.max}`,
  );
  demand(isRatePoint(ratePoint), 'ratePoint must be a name or an index');
  demand(isRatePoint(rate.coarsest), 'rate.coarsest must be a name or an index');
  for (const [key, { min, max }] of Object.entries(RATE_RANGES)) {
    const value = rate[key as keyof typeof RATE_RANGES] ?? min;
    demand(value >= min && value <= max, `rate.${key} must be ${min} to ${max}`);
  }
  demand(
    Object.keys(labels).length <= LIMITS.cameraLabelsMax &&
      Object.entries(labels)
        .flat()
        .every((part) => LABEL.test(part)),
    `labels must be at most ${LIMITS.cameraLabelsMax} pairs of 1 to 64 letters, digits and "._/-"`,
  );
  demand(isHeads(heads), `heads must be 1 to ${LIMITS.headsPerCameraMax} names`);
  demand(traceSampleRatio >= 0 && traceSampleRatio <= 1, 'traceSampleRatio must be 0 to 1');
  if (preview !== undefined) problems.push(...problemsOfPreview(preview));
  if (problems.length === 0) return;
  const shown = JSON.stringify(id.slice(0, 80));
  throw new HalfsightError('camera-invalid', `camera ${shown}: ${problems.join('; ')}.`);
}

export function problemsOfPreview(preview: WantedPreview): string[] {
  return Object.entries(PREVIEW_RANGES).flatMap(([key, { min, max }]) => {
    const value = preview[key as keyof WantedPreview];
    const isRight = value >= min && value <= max && (key !== 'width' || Number.isInteger(value));
    return isRight ? [] : [`preview.${key} must be ${min} to ${max}`];
  });
}

function isHeads(heads: readonly string[] | undefined): boolean {
  if (heads === undefined) return true;
  const isCount = heads.length > 0 && heads.length <= LIMITS.headsPerCameraMax;
  return isCount && heads.every((name) => HEAD_NAME.test(name));
}

function isRatePoint(ratePoint: string | number | undefined): boolean {
  if (typeof ratePoint === 'string') return LABEL.test(ratePoint);
  return ratePoint === undefined || (Number.isInteger(ratePoint) && ratePoint >= 0);
}
