import type { Image, InputGeometry, Source } from '../image.ts';
import { filledPixels, letterbox } from '../letterbox.ts';
import type { SceneRenderer } from '../scenes/render.ts';
import { createSceneRenderer } from '../scenes/render.ts';
import type { Scene } from '../scenes/scene.ts';
import { createScene } from '../scenes/scene.ts';
import type { SourceOptions, SourceSpec } from './spec.ts';

type SyntheticSpec = Extract<SourceSpec, { kind: 'synthetic' }>;

/**
 * A camera that needs none: a scene drawn in real time, straight at the size that it has inside the
 * encoder's input. Frame k shows the scene at k / framesPerSecond seconds, whatever was drawn
 * before; a host too slow for the frame rate skips frames rather than fall behind.
 */
export function createSyntheticSource(spec: SyntheticSpec, options: SourceOptions): Source {
  const scene = createScene({
    kind: spec.scene,
    seed: spec.seed,
    aspect: spec.width / spec.height,
  });
  return {
    kind: 'synthetic',
    description: `synthetic:${spec.scene} seed ${spec.seed}`,
    isFinite: false,
    open: (signal) => images(scene, spec, options, signal),
  };
}

async function* images(
  scene: Scene,
  spec: SyntheticSpec,
  { input, framesPerSecond, clock }: SourceOptions,
  signal: AbortSignal,
): AsyncGenerator<Image> {
  const content = letterbox(spec, input);
  const renderer = await createSceneRenderer(scene, content);
  const periodMs = 1000 / framesPerSecond;
  const startMs = clock.monotonicMs();
  for (let frame = 0; !signal.aborted; frame++) {
    await clock.sleep(startMs + frame * periodMs - clock.monotonicMs(), signal);
    if (signal.aborted) return;
    const captureTimeUs = clock.nowUs();
    const sceneTimeUs = Math.round((frame * 1e6) / framesPerSecond);
    const pixels = await drawInto(renderer, sceneTimeUs, content, input);
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

async function drawInto(
  renderer: SceneRenderer,
  timeUs: number,
  content: Image['content'],
  input: InputGeometry,
): Promise<Uint8Array> {
  const picture = await renderer.render(timeUs);
  const pixels = filledPixels(input);
  for (let row = 0; row < content.height; row++) {
    const from = row * content.width * 3;
    const to = ((content.y + row) * input.width + content.x) * 3;
    pixels.set(picture.pixels.subarray(from, from + content.width * 3), to);
  }
  return pixels;
}
