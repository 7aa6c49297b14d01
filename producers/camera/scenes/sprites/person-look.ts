import type { Random } from '#runtime/random.ts';
import type { Colour } from './drawing.ts';

/** How one person looks, whatever they do. */
export interface PersonLook {
  readonly heightCm: number;
  readonly build: number;
  readonly skin: Colour;
  readonly hair: Colour;
  readonly hairStyle: 'short' | 'long' | 'bald' | 'cap' | 'bun';
  readonly top: Colour;
  readonly topStyle: 'plain' | 'stripes' | 'jacket';
  readonly longSleeves: boolean;
  readonly bottom: Colour;
  readonly bottomStyle: 'trousers' | 'shorts' | 'skirt';
  readonly shoes: Colour;
}

const SKINS: Colour[] = [
  [240, 205, 180],
  [226, 182, 150],
  [198, 148, 112],
  [150, 103, 72],
  [98, 66, 48],
];
const HAIRS: Colour[] = [
  [35, 28, 24],
  [70, 48, 34],
  [120, 84, 50],
  [196, 164, 108],
  [150, 150, 152],
];
const CLOTHES: Colour[] = [
  [40, 46, 62],
  [28, 30, 34],
  [190, 42, 44],
  [40, 92, 160],
  [226, 226, 220],
  [222, 176, 48],
  [56, 116, 72],
  [120, 70, 120],
  [150, 150, 150],
  [214, 120, 60],
  [92, 140, 180],
  [110, 84, 62],
];
const BOTTOMS: Colour[] = [
  [36, 42, 66],
  [24, 25, 30],
  [62, 82, 122],
  [120, 112, 96],
  [86, 88, 92],
  [168, 150, 120],
];

export function randomPerson(random: Random): PersonLook {
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)] as T;
  const child = random.next() < 0.12;
  return {
    heightCm: child ? 105 + random.next() * 30 : 155 + random.next() * 35,
    build: 0.88 + random.next() * 0.34,
    skin: pick(SKINS),
    hair: pick(HAIRS),
    hairStyle: pick(['short', 'short', 'long', 'bun', 'cap', 'short', 'bald'] as const),
    top: pick(CLOTHES),
    topStyle: pick(['plain', 'plain', 'jacket', 'stripes'] as const),
    longSleeves: random.next() < 0.6,
    bottom: pick(BOTTOMS),
    bottomStyle: pick(['trousers', 'trousers', 'trousers', 'shorts', 'skirt'] as const),
    shoes: pick([
      [30, 28, 28],
      [70, 52, 38],
      [225, 225, 225],
    ] as const),
  };
}
