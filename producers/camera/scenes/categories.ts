/**
 * The COCO categories that scenes can show: `cocoId` is the id of the 91-entry list that COCO's own
 * annotation files use, `vocId` the class of PASCAL VOC's 21 (0, background, where VOC has none).
 */
export const CATEGORIES = {
  person: { cocoId: 1, vocId: 15 },
  bicycle: { cocoId: 2, vocId: 2 },
  car: { cocoId: 3, vocId: 7 },
  motorcycle: { cocoId: 4, vocId: 14 },
  airplane: { cocoId: 5, vocId: 1 },
  bus: { cocoId: 6, vocId: 6 },
  train: { cocoId: 7, vocId: 19 },
  truck: { cocoId: 8, vocId: 0 },
  boat: { cocoId: 9, vocId: 4 },
  'traffic light': { cocoId: 10, vocId: 0 },
  'fire hydrant': { cocoId: 11, vocId: 0 },
  'stop sign': { cocoId: 13, vocId: 0 },
  bench: { cocoId: 15, vocId: 0 },
  bird: { cocoId: 16, vocId: 3 },
  cat: { cocoId: 17, vocId: 8 },
  dog: { cocoId: 18, vocId: 12 },
  horse: { cocoId: 19, vocId: 13 },
  sheep: { cocoId: 20, vocId: 17 },
  cow: { cocoId: 21, vocId: 10 },
  suitcase: { cocoId: 33, vocId: 0 },
  'sports ball': { cocoId: 37, vocId: 0 },
  bottle: { cocoId: 44, vocId: 5 },
  cup: { cocoId: 47, vocId: 0 },
  chair: { cocoId: 62, vocId: 9 },
  couch: { cocoId: 63, vocId: 18 },
  'potted plant': { cocoId: 64, vocId: 16 },
  'dining table': { cocoId: 67, vocId: 11 },
  tv: { cocoId: 72, vocId: 20 },
  laptop: { cocoId: 73, vocId: 0 },
  refrigerator: { cocoId: 82, vocId: 0 },
  clock: { cocoId: 85, vocId: 0 },
} as const satisfies Record<string, { cocoId: number; vocId: number }>;

export type CategoryName = keyof typeof CATEGORIES;
