import { HalfsightError } from '#runtime/errors.ts';
import { LIMITS } from '#runtime/limits.ts';
import { isCameraId } from '#schemas/frame.ts';

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
  readonly enabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Left out: all heads of the bundle. */
  readonly heads?: readonly string[];
}

/** A camera in the registry. */
export interface StoredCamera extends WantedCamera {
  /** Grows with each change, also where the camera was removed and put again. */
  readonly version: number;
}

const LABEL = /^[A-Za-z0-9._/-]{1,64}$/;

/** Throws one `camera-invalid` that lists every mistake. */
export function checkCamera(camera: WantedCamera): void {
  const { id, source, framesPerSecond, ratePoint, labels, heads } = camera;
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
    framesPerSecond >= 0.1 && framesPerSecond <= LIMITS.framesPerSecondMax,
    `framesPerSecond must be 0.1 to ${LIMITS.framesPerSecondMax}`,
  );
  demand(isRatePoint(ratePoint), 'ratePoint must be a name or an index');
  demand(
    Object.keys(labels).length <= LIMITS.cameraLabelsMax &&
      Object.entries(labels)
        .flat()
        .every((part) => LABEL.test(part)),
    `labels must be at most ${LIMITS.cameraLabelsMax} pairs of 1 to 64 letters, digits and "._/-"`,
  );
  demand(
    heads === undefined ||
      (heads.length <= LIMITS.cameraLabelsMax && heads.every((head) => LABEL.test(head))),
    `heads must be at most ${LIMITS.cameraLabelsMax} names`,
  );
  if (problems.length === 0) return;
  const shown = JSON.stringify(id.slice(0, 80));
  throw new HalfsightError('camera-invalid', `camera ${shown}: ${problems.join('; ')}.`);
}

function isRatePoint(ratePoint: string | number | undefined): boolean {
  if (typeof ratePoint === 'string') return LABEL.test(ratePoint);
  return ratePoint === undefined || (Number.isInteger(ratePoint) && ratePoint >= 0);
}
