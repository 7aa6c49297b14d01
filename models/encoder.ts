import type { Latent } from '#codec/latent.ts';
import { assert } from '#runtime/assert.ts';
import { HalfsightError } from '#runtime/errors.ts';
import type { Bundle } from './bundle.ts';
import { openSession, type Provider } from './session.ts';

/** The bundle's encoder network: pixels in, integer latent out. */
export interface Encoder {
  /** `pixels`: RGB24 rows of the bundle's input size, letterboxed. One call at a time. */
  encode(pixels: Uint8Array, ratePoint: number): Promise<Latent>;
  close(): Promise<void>;
}

export interface EncoderOptions {
  readonly threads: number;
  readonly provider?: Provider;
}

/**
 * Encodes one grey picture before it returns: a model that does not fit its manifest is found at
 * start, and the first real frame does not pay for the warm-up.
 */
export async function openEncoder(bundle: Bundle, options: EncoderOptions): Promise<Encoder> {
  const { encoder: spec, input, ratePoints, defaultRatePoint } = bundle.manifest;
  const { threads, provider = 'cpu' } = options;
  const session = await openSession(bundle.path(spec.file), { threads, provider });
  const shape = bundle.latentShape();
  const imageDims = [1, input.height, input.width, 3];
  const encode = async (pixels: Uint8Array, ratePoint: number): Promise<Latent> => {
    assert(pixels.length === input.width * input.height * 3, 'pixels are the whole input, RGB24');
    assert(ratePoint in ratePoints, `rate point ${ratePoint} is one of the bundle's`);
    const outputs = await session.run({
      [spec.image]: { data: pixels, dims: imageDims },
      [spec.ratePoint]: { data: BigInt64Array.of(BigInt(ratePoint)), dims: [1] },
    });
    const latent = outputs[spec.latent];
    const dims = [1, shape.channels, shape.height, shape.width].join('x');
    if (latent?.dims.join('x') !== dims || !(latent.data instanceof Int32Array)) {
      const found = latent === undefined ? 'no such output' : latent.dims.join('x');
      const message = `${spec.file}: output "${spec.latent}" should be int32 ${dims}, is ${found}.`;
      throw new HalfsightError('bundle-invalid', message);
    }
    return { ...shape, symbols: latent.data };
  };
  await encode(new Uint8Array(input.width * input.height * 3).fill(128), defaultRatePoint);
  return { encode, close: () => session.close() };
}
