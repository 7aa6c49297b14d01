import type { Bundle } from '#models/bundle.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { PlanArguments } from './arguments.ts';
import type { Constants } from './constants.ts';
import type { Fleet } from './fleet.ts';

/**
 * Adds what the bundle says: its heads, the size of a bitstream, the size of a picture. Throws
 * `usage-invalid` for a head or a rate point that it does not have, and for constants that were
 * measured with another bundle, which would be wrong without anybody noticing.
 */
export function completeFleet(
  args: PlanArguments,
  manifest: Bundle['manifest'],
  constants: Pick<Constants, 'bundle'>,
): Fleet {
  const name = bundleName(manifest);
  if (constants.bundle !== name) {
    const message = `the constants were measured with ${constants.bundle}, not with ${name}.`;
    throw new HalfsightError('usage-invalid', message, {
      advice: `Measure it: npm run bench -- plan --fit > FILE, then --constants FILE.`,
    });
  }
  const known = manifest.heads.map(({ task }) => task);
  const missing = args.heads?.find((head) => !known.includes(head));
  if (missing !== undefined) {
    throw new HalfsightError('usage-invalid', `${name} has no head "${missing}".`, {
      advice: `It has ${known.join(', ')}.`,
    });
  }
  const { width, height } = manifest.input;
  return {
    ...args.fleet,
    heads: args.heads ?? known,
    bitstreamBytes: args.bitstreamBytes ?? typicalBytes(args.ratePoint, manifest),
    pictureBytes: width * height * 3,
  };
}

export function bundleName({ name, version }: Bundle['manifest']): string {
  return `${name} ${version}`;
}

function typicalBytes(
  wanted: string | undefined,
  { ratePoints, defaultRatePoint, name }: Bundle['manifest'],
): number {
  const found = ratePoints.find((point) =>
    wanted === undefined
      ? point.index === defaultRatePoint
      : point.name === wanted || String(point.index) === wanted,
  );
  if (found !== undefined) return found.typicalBytes;
  throw new HalfsightError('usage-invalid', `${name} has no rate point "${wanted}".`, {
    advice: `It has ${ratePoints.map((point) => `${point.name} (${point.index})`).join(', ')}.`,
  });
}
