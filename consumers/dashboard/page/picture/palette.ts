import { signal } from '@preact/signals';

/** Colours of the canvases, as the style sheet has them for the theme. */
export interface Palette {
  readonly picture: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly chipText: string;
  readonly strip: string;
  readonly series: readonly string[];
}

const SERIES_COUNT = 8;
const NONE: Palette = {
  ...{ picture: '', text: '', muted: '', line: '', chipText: '', strip: '' },
  series: Array.from({ length: SERIES_COUNT }, () => '#000000'),
};

/** Read again whenever the theme changes. */
export const palette = signal<Palette>(NONE);

export function readPalette(root: HTMLElement): Palette {
  const style = getComputedStyle(root);
  const read = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    picture: read('picture'),
    text: read('text'),
    muted: read('muted'),
    line: read('line'),
    chipText: read('chip-text'),
    strip: read('strip'),
    series: Array.from({ length: SERIES_COUNT }, (_, index) => read(`series-${index}`)),
  };
}
