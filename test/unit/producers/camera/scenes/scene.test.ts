import { expect, test } from 'vitest';
import { createSceneRenderer } from '#producers/camera/scenes/render.ts';
import { createScene, SCENE_KINDS, sceneAt } from '#producers/camera/scenes/scene.ts';

const SIZE = { width: 160, height: 90 };
const ASPECT = 16 / 9;

test.each(SCENE_KINDS)('%s: a picture depends on nothing but seed and time', async (kind) => {
  const options = { kind, seed: 11, aspect: ASPECT };
  const one = await createSceneRenderer(createScene(options), SIZE);
  const before = await one.render(7_000_000, { truth: true });
  await one.render(90_000_000);
  const again = await one.render(7_000_000, { truth: true });
  const other = await createSceneRenderer(createScene(options), { ...SIZE, cacheBytesMax: 0 });
  const alone = await other.render(7_000_000, { truth: true });
  expect(again).toEqual(before);
  expect(alone).toEqual(before);
  const otherSeed = await createSceneRenderer(createScene({ ...options, seed: 12 }), SIZE);
  expect((await otherSeed.render(7_000_000)).pixels).not.toEqual(before.pixels);
});

test.each(SCENE_KINDS)('%s: things move, and none appears twice', (kind) => {
  for (const seed of [1, 2, 3]) {
    const scene = createScene({ kind, seed, aspect: ASPECT });
    const places = new Set<string>();
    for (let second = 0; second < 60; second += 5) {
      const { actors } = sceneAt(scene, second * 1e6);
      const ids = actors.map((actor) => actor.id);
      expect(new Set(ids).size).toBe(ids.length);
      for (const { id, place } of actors) places.add(`${id} ${place.x.toFixed(2)}`);
    }
    expect(places.size).toBeGreaterThan(scene.statics.length);
  }
});

test('a walker walks on: from frame to frame it goes a little further', () => {
  const scene = createScene({ kind: 'plaza', seed: 4, aspect: ASPECT });
  let moved = 0;
  for (let frame = 0; frame < 100; frame++) {
    const now = new Map(sceneAt(scene, frame * 2e5).actors.map((actor) => [actor.id, actor.place]));
    for (const { id, place } of sceneAt(scene, (frame + 1) * 2e5).actors) {
      const earlier = now.get(id);
      if (earlier === undefined) continue;
      const metres = Math.hypot(place.x - earlier.x, place.z - earlier.z);
      // The fastest are birds, at 7 m/s.
      expect(metres).toBeLessThan(7 * 0.2 + 1e-9);
      if (metres > 0) moved++;
    }
  }
  expect(moved).toBeGreaterThan(50);
});

test('nights are darker than days, outdoors', async () => {
  const brightness = async (dayStart: number) => {
    const scene = createScene({ kind: 'street', seed: 3, aspect: ASPECT, dayStart });
    const { pixels } = await (await createSceneRenderer(scene, SIZE)).render(0);
    return pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
  };
  expect(await brightness(0)).toBeLessThan((await brightness(0.5)) * 0.6);
});

test('an unknown kind of scene is refused, with the known ones', () => {
  expect(() => createScene({ kind: 'moon', seed: 1, aspect: 1 })).toThrow(
    expect.objectContaining({
      code: 'source-invalid',
      advice: expect.stringContaining('car-park'),
    }),
  );
});
