import type { Random } from '#runtime/random.ts';
import type { Colour, Drawing } from './drawing.ts';
import { litGradient, tag } from './drawing.ts';
import * as furniture from './furniture.ts';
import * as plants from './plants.ts';
import * as street from './street-furniture.ts';
import type { ThingLook } from './thing-look.ts';

interface Recipe {
  readonly width: number;
  readonly height: number;
  readonly draw: (look: ThingLook, width: number, height: number) => string;
  readonly colours?: readonly Colour[];
}

const WOODS: Colour[] = [
  [140, 98, 60],
  [96, 66, 42],
  [190, 150, 104],
  [60, 50, 44],
];
const FABRICS: Colour[] = [
  [120, 60, 56],
  [66, 82, 104],
  [142, 136, 124],
  [74, 92, 74],
  [58, 56, 58],
  [196, 178, 146],
];
const METALS: Colour[] = [
  [70, 74, 78],
  [44, 58, 50],
  [110, 112, 116],
];

const RECIPES = {
  chair: { width: 50, height: 92, draw: furniture.chair, colours: [...WOODS, ...FABRICS] },
  couch: { width: 190, height: 86, draw: furniture.couch, colours: FABRICS },
  'potted plant': { width: 70, height: 105, draw: plants.plant },
  'dining table': { width: 160, height: 76, draw: furniture.table, colours: WOODS },
  tv: { width: 124, height: 78, draw: furniture.tv },
  laptop: { width: 36, height: 26, draw: furniture.laptop },
  bottle: {
    width: 8,
    height: 29,
    draw: furniture.bottle,
    colours: [
      [40, 90, 54],
      [90, 52, 30],
      [140, 178, 190],
    ],
  },
  cup: {
    width: 12,
    height: 10,
    draw: furniture.cup,
    colours: [
      [228, 226, 222],
      [160, 52, 46],
      [52, 92, 132],
    ],
  },
  bench: { width: 160, height: 84, draw: street.bench, colours: WOODS },
  'traffic light': { width: 52, height: 108, draw: street.trafficLight },
  'fire hydrant': {
    width: 40,
    height: 78,
    draw: street.hydrant,
    colours: [
      [186, 34, 30],
      [222, 178, 40],
    ],
  },
  'stop sign': { width: 76, height: 76, draw: street.stopSign },
  pole: { width: 10, height: 285, draw: street.pole },
  suitcase: { width: 44, height: 68, draw: furniture.suitcase, colours: FABRICS },
  'sports ball': { width: 23, height: 23, draw: street.ball },
  refrigerator: {
    width: 70,
    height: 176,
    draw: furniture.refrigerator,
    colours: [
      [222, 224, 226],
      [150, 152, 156],
    ],
  },
  clock: { width: 34, height: 34, draw: furniture.clock },
  tree: { width: 320, height: 560, draw: plants.tree },
  shrub: { width: 150, height: 95, draw: plants.shrub },
  'lamp post': { width: 130, height: 520, draw: street.lampPost, colours: METALS },
  bollard: { width: 16, height: 92, draw: street.bollard, colours: METALS },
  bin: { width: 56, height: 96, draw: street.bin, colours: METALS },
  shelf: { width: 110, height: 190, draw: furniture.shelf, colours: WOODS },
} satisfies Record<string, Recipe>;

export type ThingKind = keyof typeof RECIPES;

export function randomThing(random: Random, kind: ThingKind): ThingLook {
  const recipe: Recipe = RECIPES[kind];
  const colours = recipe.colours ?? FABRICS;
  const pick = () => colours[random.integer(colours.length)] ?? [90, 90, 90];
  return { main: pick(), second: pick(), variant: random.next() };
}

export function thingSize(kind: ThingKind): { widthCm: number; heightCm: number } {
  return { widthCm: RECIPES[kind].width, heightCm: RECIPES[kind].height };
}

export function drawThing(kind: ThingKind, look: ThingLook): Drawing {
  const recipe: Recipe = RECIPES[kind];
  const gradients = [
    litGradient('main', look.main, 0.2),
    litGradient('second', look.second, 0.2),
    litGradient('metal', [150, 153, 158], 0.3),
  ];
  const margin = 4;
  return {
    minX: -recipe.width / 2 - margin,
    minY: -recipe.height - margin,
    width: recipe.width + 2 * margin,
    height: recipe.height + 2 * margin,
    body: tag('defs', {}, gradients.join('')) + recipe.draw(look, recipe.width, recipe.height),
    lamps: kind === 'lamp post' ? [{ x: 48, y: -500, radius: 130, colour: [255, 214, 150] }] : [],
  };
}
