import { signal } from '@preact/signals';
import { palette, readPalette } from '../picture/palette.ts';

export type Theme = 'light' | 'dark';

const KEY = 'halfsight-theme';
const systemDark = matchMedia('(prefers-color-scheme: dark)');

/** As chosen here, or as the system has it. */
export const theme = signal<Theme>(chosen() ?? ofSystem());

export function followTheme(): void {
  show();
  systemDark.addEventListener('change', () => {
    if (chosen() !== undefined) return;
    theme.value = ofSystem();
    show();
  });
}

/** A choice that is what the system has is none: the page follows the system again. */
export function switchTheme(): void {
  theme.value = theme.peek() === 'dark' ? 'light' : 'dark';
  if (theme.peek() === ofSystem()) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme.peek());
  show();
}

function show(): void {
  document.documentElement.dataset.theme = theme.peek();
  palette.value = readPalette(document.documentElement);
}

function chosen(): Theme | undefined {
  const stored = localStorage.getItem(KEY);
  return stored === 'light' || stored === 'dark' ? stored : undefined;
}

function ofSystem(): Theme {
  return systemDark.matches ? 'dark' : 'light';
}
