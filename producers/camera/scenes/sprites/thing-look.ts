import type { Colour } from './drawing.ts';

/** How one thing looks: which of its kind, in which colours. */
export interface ThingLook {
  readonly main: Colour;
  readonly second: Colour;
  /** 0-1, for each drawing to make what it likes of. */
  readonly variant: number;
}
