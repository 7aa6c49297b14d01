import type { Rectangle } from '#schemas/frame.ts';
import type { Image, InputGeometry, Source } from '../image.ts';
import { filledPixels, letterbox } from '../letterbox.ts';
import { createSceneRenderer } from '../scenes/render.ts';
import { createScene } from '../scenes/scene.ts';
import type { SourceOptions, SourceSpec } from './spec.ts';
import { drawTestCard, TEST_CARD } from './test-card.ts';

type SyntheticSpec = Extract<SourceSpec, { kind: 'synthetic' }>;

/** RGB24 of the picture's size inside the encoder's input, as it is at that time. */
type Draw = (timeUs: number) => Promise<Uint8Array>;

/**
 * A camera that needs none: a scene, or a test card, drawn in real time, straight at the size that
 * it has inside the encoder's input. Frame k shows the scene at k / framesPerSecond seconds,
 * whatever was drawn before; a host too slow for the frame rate skips frames rather than fall
 * behind.
 */
export function createSyntheticSource(spec: SyntheticSpec, options: SourceOptions): Source {
  const content = letterbox(spec, options.input);
  const prepare = spec.scene === TEST_CARD ? prepareTestCard(content) : prepareScene(spec, content);
  return {
    kind: 'synthetic',
    description: `synthetic:${spec.scene} seed ${spec.seed}`,
    isFinite: false,
    open: (signal) => images(prepare, content, spec, options, signal),
  };
}

function prepareTestCard(content: Rectangle): () => Promise<Draw> {
  return async () => async (timeUs) => drawTestCard(content, timeUs);
}

function prepareScene(spec: SyntheticSpec, content: Rectangle): () => Promise<Draw> {
  const { scene: kind, seed, width, height } = spec;
  const scene = createScene({ kind, seed, aspect: width / height });
  return async () => {
    const renderer = await createSceneRenderer(scene, content);
    return async (timeUs) => (await renderer.render(timeUs)).pixels;
  };
}

async function* images(
  prepare: () => Promise<Draw>,
  content: Rectangle,
  spec: SyntheticSpec,
  { input, framesPerSecond, clock }: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  const draw = await prepare();
  const periodMs = 1000 / framesPerSecond;
  const startMs = clock.monotonicMs();
  for (let frame = 0; !signal.aborted; frame++) {
    await clock.sleep(startMs + frame * periodMs - clock.monotonicMs(), signal);
    if (signal.aborted) return;
    const captureTimeUs = clock.nowUs();
    const sceneTimeUs = Math.round((frame * 1e6) / framesPerSecond);
    const pixels = placed(await draw(sceneTimeUs), content, input);
    yield {
      pixels,
      captureTimeUs,
      timeSource: 'synthetic',
      sourceWidth: spec.width,
      sourceHeight: spec.height,
      content,
    };
    const due = Math.floor((clock.monotonicMs() - startMs) / periodMs);
    if (due > frame + 1) frame = due - 1;
  }
}

function placed(picture: Uint8Array, content: Rectangle, input: InputGeometry): Uint8Array {
  const pixels = filledPixels(input);
  for (let row = 0; row < content.height; row++) {
    const from = row * content.width * 3;
    const to = ((content.y + row) * input.width + content.x) * 3;
    pixels.set(picture.subarray(from, from + content.width * 3), to);
  }
  return pixels;
}
