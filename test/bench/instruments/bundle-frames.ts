import { encodeBitstream } from '#codec/bitstream.ts';
import { type Bundle, loadBundle } from '#models/bundle.ts';
import { openEncoder } from '#models/encoder.ts';
import { createSceneRenderer } from '#producers/camera/scenes/render.ts';
import { createScene } from '#producers/camera/scenes/scene.ts';
import { defined } from '#runtime/assert.ts';
import { type FrameMaker, frameMaker, SHIPPED_BUNDLE } from './frame-maker.ts';

export interface BundleFrames extends FrameMaker {
  readonly bundle: Bundle;
  /** One a picture; frame k of a camera has number k modulo their count. */
  readonly bitstreams: readonly Uint8Array[];
}

/** Pictures of a synthetic street, two seconds apart, at the size of the bundle's input. */
export async function streetPictures(bundle: Bundle, count: number): Promise<Uint8Array[]> {
  const { width, height } = bundle.manifest.input;
  const scene = createScene({ kind: 'street', seed: 1, aspect: width / height });
  const renderer = await createSceneRenderer(scene, { width, height });
  const pictures: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const { pixels } = await renderer.render(index * 2_000_000);
    pictures.push(pixels.slice());
  }
  return pictures;
}

/** Encodes the pictures once, so that a load of any size costs no encoding while it is measured. */
export async function bundleFrames(
  bundle: Bundle,
  pictures: readonly Uint8Array[],
  ratePoint = bundle.manifest.defaultRatePoint,
): Promise<BundleFrames> {
  const encoder = await openEncoder(bundle, { threads: 1 });
  const tables = defined(bundle.tablesByRatePoint[ratePoint], 'tables');
  const bitstreams: Uint8Array[] = [];
  for (const pixels of pictures) {
    const latent = await encoder.encode(pixels, ratePoint);
    bitstreams.push(encodeBitstream(latent, tables, { ratePoint }));
  }
  await encoder.close();
  return { bundle, bitstreams, ...frameMaker(bundle, bitstreams, ratePoint) };
}

export async function streetFrames(pictureCount: number): Promise<BundleFrames> {
  const bundle = await loadBundle(SHIPPED_BUNDLE);
  return bundleFrames(bundle, await streetPictures(bundle, pictureCount));
}
