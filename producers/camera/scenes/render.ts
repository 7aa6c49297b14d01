import { assert } from '#runtime/assert.ts';
import { seededRandom } from '#runtime/random.ts';
import { BACKGROUND_UNITS } from './backgrounds/canvas.ts';
import type { CategoryName } from './categories.ts';
import { CATEGORIES } from './categories.ts';
import { blendSprite, drawShadow } from './composite.ts';
import type { PlacedLamp } from './light.ts';
import { applyLight, noiseTile } from './light.ts';
import type { Raster } from './raster.ts';
import { RasterCache, renderSvg } from './raster.ts';
import type { Scene } from './scene.ts';
import { sceneAt } from './scene.ts';
import { svgDocument } from './sprites/drawing.ts';
import type { Actor } from './world.ts';
import { projectPlace } from './world.ts';

/** One thing that can be seen in a picture, after what hides it. */
export interface SceneObject {
  readonly id: string;
  readonly category: CategoryName;
  readonly cocoId: number;
  readonly vocId: number;
  /** xMin, yMin, xMax, yMax of the visible part, 0-1 of the picture. */
  readonly box: readonly [number, number, number, number];
  /** Visible pixels: 1 where it shows, row by row, at the size of the picture. */
  readonly mask: Uint8Array;
  readonly areaPx: number;
  /** Visible pixels over the pixels it would have if nothing stood before it. */
  readonly visibleFraction: number;
}

export interface SceneTruth {
  readonly objects: readonly SceneObject[];
  /** VOC-21 class of each pixel. */
  readonly semantic: Uint8Array;
  /** Categories in the picture, by visible area, largest first. */
  readonly labels: readonly CategoryName[];
}

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** RGB24. */
  readonly pixels: Uint8Array;
  readonly truth: SceneTruth | undefined;
}

export interface RenderOptions {
  readonly width: number;
  readonly height: number;
  readonly cacheBytesMax?: number;
}

/** Pixels a centimetre below which nothing is drawn: a person would be three pixels tall. */
const SCALE_MIN = 0.018;
const CACHE_BYTES_MAX = 24 * 1024 * 1024;
/** What shows less than this is left out of the truth, as annotators leave it out. */
const AREA_PX_MIN = 20;
const VISIBLE_FRACTION_MIN = 0.12;

export interface SceneRenderer {
  /** The picture at `timeUs`; the same whatever was asked before. Calls must not overlap. */
  render(timeUs: number, wants?: { truth: boolean }): Promise<Picture>;
}

export async function createSceneRenderer(
  scene: Scene,
  options: RenderOptions,
): Promise<SceneRenderer> {
  const { width, height } = options;
  const background = await rasteriseBackground(scene, width, height);
  const cache = new RasterCache(options.cacheBytesMax ?? CACHE_BYTES_MAX);
  const noise = noiseTile(seededRandom(scene.seed).fork('noise'));
  const linear = new Uint8Array(width * height * 3);
  return {
    render: async (timeUs, wants) => {
      const state = sceneAt(scene, timeUs);
      const placed: Placed[] = [];
      for (const actor of state.actors) {
        const it = await placeActor(actor, scene, options, cache);
        if (it !== undefined) placed.push(it);
      }
      linear.set(background);
      const owner = wants?.truth === true ? new Int16Array(width * height).fill(-1) : undefined;
      const lamps = drawAll(placed, linear, width, height, owner);
      const pixels = new Uint8Array(linear.length);
      applyLight(linear, pixels, {
        width,
        height,
        lamps,
        noise,
        daylight: state.daylight,
        warmth: state.warmth,
        noiseShift: seededRandom(scene.seed)
          .fork(`noise${timeUs}`)
          .integer(2 ** 30),
      });
      const truth = owner === undefined ? undefined : truthOf(placed, owner, width, height);
      return { width, height, pixels, truth };
    },
  };
}

async function rasteriseBackground(
  scene: Scene,
  width: number,
  height: number,
): Promise<Uint8Array> {
  const viewBox = [0, 0, BACKGROUND_UNITS * scene.camera.aspect, BACKGROUND_UNITS];
  const rgba = await renderSvg(svgDocument(width, height, viewBox, scene.background));
  assert(rgba.length === width * height * 4, 'the background has the size of the picture');
  const rgb = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from] ?? 0;
    rgb[to + 1] = rgba[from + 1] ?? 0;
    rgb[to + 2] = rgba[from + 2] ?? 0;
  }
  return rgb;
}

interface Placed {
  readonly actor: Actor;
  readonly raster: Raster;
  /** Left and top of the sprite in the picture, pixels, and how much the raster is enlarged. */
  readonly left: number;
  readonly top: number;
  readonly zoom: number;
  readonly shadow: readonly [x: number, y: number, rx: number, ry: number];
}

async function placeActor(
  actor: Actor,
  scene: Scene,
  options: RenderOptions,
  cache: RasterCache,
): Promise<Placed | undefined> {
  const { camera } = scene;
  const perMetre = (camera.focal * options.height) / actor.place.z;
  const [x, y] = projectPlace(camera, actor.place, actor.altitudeM);
  const scale = perMetre / 100;
  const footX = x * options.width;
  const reach = 8 * perMetre;
  if (footX < -reach || footX > options.width + reach || scale < SCALE_MIN) return undefined;
  const raster = await cache.get(actor.sprite, scale);
  const zoom = scale / raster.scale;
  const originX = actor.isMirrored ? raster.width - raster.originX : raster.originX;
  const left = footX - originX * zoom;
  const top = y * options.height - raster.originY * zoom;
  if (left > options.width || left + raster.width * zoom < 0) return undefined;
  const ground = projectPlace(camera, actor.place)[1] * options.height;
  const slope = (camera.heightM / actor.place.z) * perMetre;
  const [rx, ry] = actor.shadow;
  return { actor, raster, left, top, zoom, shadow: [footX, ground, rx * perMetre, ry * slope] };
}

function drawAll(
  placed: readonly Placed[],
  canvas: Uint8Array,
  width: number,
  height: number,
  owner: Int16Array | undefined,
): PlacedLamp[] {
  const lamps: PlacedLamp[] = [];
  for (const [index, it] of placed.entries()) {
    if (it.shadow[2] > 0) drawShadow(canvas, width, height, it.shadow);
    blendSprite({
      canvas,
      width,
      height,
      raster: it.raster,
      left: it.left,
      top: it.top,
      zoom: it.zoom,
      isMirrored: it.actor.isMirrored,
      owner,
      ownerIndex: index,
    });
    for (const lamp of it.raster.lamps) {
      const x = it.actor.isMirrored ? it.raster.width - lamp.x : lamp.x;
      lamps.push({
        x: it.left + x * it.zoom,
        y: it.top + lamp.y * it.zoom,
        radius: lamp.radius * it.zoom,
        colour: lamp.colour,
      });
    }
  }
  return lamps;
}

function truthOf(
  placed: readonly Placed[],
  owner: Int16Array,
  width: number,
  height: number,
): SceneTruth {
  const semantic = new Uint8Array(owner.length);
  const masks = new Map<number, Uint8Array>();
  const areas = new Map<number, number>();
  for (let at = 0; at < owner.length; at++) {
    const index = owner[at] ?? -1;
    if (index < 0) continue;
    const category = placed[index]?.actor.category;
    if (category === undefined) continue;
    semantic[at] = CATEGORIES[category].vocId;
    let mask = masks.get(index);
    if (mask === undefined) {
      mask = new Uint8Array(owner.length);
      masks.set(index, mask);
    }
    mask[at] = 1;
    areas.set(index, (areas.get(index) ?? 0) + 1);
  }
  const objects: SceneObject[] = [];
  for (const [index, mask] of masks) {
    const it = placed[index];
    const category = it?.actor.category;
    const areaPx = areas.get(index) ?? 0;
    if (it === undefined || category === undefined || areaPx < AREA_PX_MIN) continue;
    const whole = blendSprite({
      canvas: undefined,
      width,
      height,
      raster: it.raster,
      left: it.left,
      top: it.top,
      zoom: it.zoom,
      isMirrored: it.actor.isMirrored,
      owner: undefined,
      ownerIndex: index,
    });
    const visibleFraction = Math.min(1, areaPx / Math.max(1, whole));
    if (visibleFraction < VISIBLE_FRACTION_MIN) continue;
    const box = boxOf(mask, width, height);
    objects.push({
      id: it.actor.id,
      category,
      ...CATEGORIES[category],
      box,
      mask,
      areaPx,
      visibleFraction,
    });
  }
  return { objects, semantic, labels: labelsOf(objects) };
}

function labelsOf(objects: readonly SceneObject[]): CategoryName[] {
  const areas = new Map<CategoryName, number>();
  for (const object of objects) {
    areas.set(object.category, (areas.get(object.category) ?? 0) + object.areaPx);
  }
  return [...areas].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

function boxOf(mask: Uint8Array, width: number, height: number): [number, number, number, number] {
  let [xMin, yMin, xMax, yMax] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (mask[y * width + x] !== 1) continue;
      xMin = Math.min(xMin, x);
      xMax = Math.max(xMax, x);
      yMin = Math.min(yMin, y);
      yMax = y;
    }
  }
  return [xMin / width, yMin / height, (xMax + 1) / width, (yMax + 1) / height];
}
