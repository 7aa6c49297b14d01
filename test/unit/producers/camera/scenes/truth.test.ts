import { expect, test } from 'vitest';
import { CATEGORIES } from '#producers/camera/scenes/categories.ts';
import type { SceneTruth } from '#producers/camera/scenes/render.ts';
import { createSceneRenderer } from '#producers/camera/scenes/render.ts';
import type { Scene } from '#producers/camera/scenes/scene.ts';
import { createScene, SCENE_KINDS } from '#producers/camera/scenes/scene.ts';
import { box } from '#producers/camera/scenes/sprites/drawing.ts';
import type { Actor } from '#producers/camera/scenes/world.ts';
import { defined } from '#runtime/assert.ts';

const SIZE = { width: 208, height: 117 };

async function truthOf(scene: Scene, size = SIZE): Promise<SceneTruth> {
  const renderer = await createSceneRenderer(scene, size);
  const { truth } = await renderer.render(20_000_000, { truth: true });
  return defined(truth, 'truth');
}

test.each(SCENE_KINDS)(
  '%s: boxes are the extents of masks, and masks are disjoint',
  async (kind) => {
    const truth = await truthOf(createScene({ kind, seed: 6, aspect: 16 / 9 }));
    expect(truth.objects.length).toBeGreaterThan(0);
    const owned = new Uint8Array(SIZE.width * SIZE.height);
    for (const { mask, box: extent, areaPx, category, vocId, cocoId } of truth.objects) {
      expect({ cocoId, vocId }).toEqual(CATEGORIES[category]);
      const columns = new Set<number>();
      const rows = new Set<number>();
      let area = 0;
      for (const [at, shows] of mask.entries()) {
        if (shows === 0) continue;
        area++;
        columns.add(at % SIZE.width);
        rows.add(Math.floor(at / SIZE.width));
        expect(owned[at]).toBe(0);
        owned[at] = 1;
        expect(truth.semantic[at]).toBe(vocId);
      }
      expect(area).toBe(areaPx);
      expect(extent[0]).toBeCloseTo(Math.min(...columns) / SIZE.width, 9);
      expect(extent[1]).toBeCloseTo(Math.min(...rows) / SIZE.height, 9);
      expect(extent[2]).toBeCloseTo((Math.max(...columns) + 1) / SIZE.width, 9);
      expect(extent[3]).toBeCloseTo((Math.max(...rows) + 1) / SIZE.height, 9);
    }
  },
);

/** A red or hiding square, one metre wide, that stands at `x`, `z`. */
function square(id: string, category: 'car' | undefined, x: number, z: number): Actor {
  const drawing = {
    ...{ minX: -60, minY: -110, width: 120, height: 120, lamps: [] },
    body: box(-50, -100, 100, 100, category === undefined ? 'black' : 'red'),
  };
  return {
    id,
    category,
    sprite: { key: id, draw: () => drawing },
    place: { x, z },
    altitudeM: 0,
    isMirrored: false,
    shadow: [0, 0],
    depthBias: 0,
  };
}

/** One picture height of focal length, eyes at one metre: at z = 4 a metre is a quarter high. */
function sceneWith(statics: readonly Actor[]): Scene {
  return {
    ...createScene({ kind: 'field', seed: 1, aspect: 1 }),
    camera: { heightM: 1, horizon: 0.5, focal: 1, aspect: 1 },
    background: box(0, 0, 1000, 1000, 'white'),
    statics,
    tracks: [],
    dayStart: 0.5,
  };
}

const SQUARE = { width: 200, height: 200 };

test('a thing is where the camera sees it, at its size', async () => {
  const truth = await truthOf(sceneWith([square('a', 'car', 0, 4)]), SQUARE);
  const [object] = truth.objects;
  // From 0.375 to 0.625 across, from the horizon (0.5) down to 0.75.
  for (const [index, edge] of [0.375, 0.5, 0.625, 0.75].entries()) {
    expect(object?.box[index]).toBeCloseTo(edge, 2);
  }
  expect(object?.areaPx).toBeGreaterThan(2_400);
  expect(object?.areaPx).toBeLessThan(2_600);
  expect(object?.visibleFraction).toBe(1);
  expect(truth.labels).toEqual(['car']);
});

test('what stands before something hides it, whichever is listed first', async () => {
  const far = square('far', 'car', 0, 4);
  const near = square('near', 'car', 0.25, 2);
  const truths = [
    [far, near],
    [near, far],
  ].map((actors) => truthOf(sceneWith(actors), SQUARE));
  const [one, other] = await Promise.all(truths);
  expect(one).toEqual(other);
  const hidden = one?.objects.find(({ id }) => id === 'far');
  // The near one begins at 0.375 and covers its height from the horizon down: all of it.
  expect(hidden).toBeUndefined();
  const aside = square('near', 'car', 0.5, 2);
  const half = (await truthOf(sceneWith([far, aside]), SQUARE)).objects;
  expect(half.find(({ id }) => id === 'far')?.visibleFraction).toBeCloseTo(0.5, 1);
  expect(half.find(({ id }) => id === 'far')?.box[2]).toBeCloseTo(0.5, 2);
});

test('what has no category hides others and is not in the truth', async () => {
  const far = square('far', 'car', 0, 4);
  const truth = await truthOf(sceneWith([far, square('post', undefined, 0.5, 2)]), SQUARE);
  expect(truth.objects.map(({ id }) => id)).toEqual(['far']);
  expect(truth.objects[0]?.visibleFraction).toBeCloseTo(0.5, 1);
});
