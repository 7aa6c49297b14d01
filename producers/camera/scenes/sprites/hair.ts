import type { Point } from './drawing.ts';

/** Outlines of hair (and of a cap) about the middle of the head, cm; see `outline`. */
export const SIDE_HAIR: Point[][] = [
  [
    [7, -16],
    [-9, -17],
    [-10.6, -4],
  ],
  [
    [-11.5, 5],
    [-8, 8],
    [-6, 7],
  ],
  [
    [-5, 0],
    [-2, -5],
    [8.5, -5],
  ],
];

export const SIDE_CAP: Point[][] = [
  [
    [8, -17],
    [-10, -17],
    [-10.5, -4],
  ],
];

export const LONG_HAIR: Point[][] = [
  [
    [-13, 10],
    [-12, 20],
    [-9, 23],
  ],
  [[-6, 6]],
  [[6, 6]],
  [[9, 23]],
  [
    [12, 20],
    [13, 10],
    [10, -4],
  ],
];

export const FRONT_HAIR: Point[][] = [
  [
    [-11, -17],
    [11, -17],
    [9.4, -1],
  ],
  [
    [8, -7],
    [4, -7.5],
    [0, -7],
  ],
  [
    [-4, -7.5],
    [-8, -7],
    [-9.4, -1],
  ],
];
