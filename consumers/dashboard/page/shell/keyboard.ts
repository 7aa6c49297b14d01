import { signal } from '@preact/signals';
import { go, goBack, route } from '../navigation.ts';
import { FLEET, WALL } from '../route.ts';
import { switchTheme } from './theme.ts';

/** The dialog that lists the keys is open. */
export const keysShown = signal(false);

export const SEARCH_ID = 'search';

export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['/', 'Search'],
  ['← ↑ → ↓', 'From tile to tile'],
  ['Page Up, Page Down', 'By a screen of tiles'],
  ['Home, End', 'First and last tile'],
  ['Enter', 'Open what has the focus'],
  ['Esc', 'Back'],
  ['w', 'Wall'],
  ['f', 'Fleet'],
  ['t', 'Light or dark'],
  ['?', 'This list'],
];

export function followKeyboard(): void {
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    // What the signal says lags behind: the browser closes the dialog, and tells later.
    if (document.querySelector('dialog[open]') !== null) return;
    if (isTyping(event.target)) {
      if (event.key === 'Escape') (event.target as HTMLElement).blur();
      return;
    }
    if (act(event.key)) event.preventDefault();
  });
}

function act(key: string): boolean {
  switch (key) {
    case '/':
      search();
      return true;
    case '?':
      keysShown.value = true;
      return true;
    case 'Escape':
      if (route.peek().page !== 'wall') goBack(WALL);
      return true;
    case 'w':
      go(WALL);
      return true;
    case 'f':
      go(FLEET);
      return true;
    case 't':
      switchTheme();
      return true;
    default:
      return false;
  }
}

function search(): void {
  const focus = () => document.getElementById(SEARCH_ID)?.focus();
  if (route.peek().page !== 'wall') {
    go(WALL);
    // A page that was just opened is there with the next frame.
    requestAnimationFrame(focus);
  } else {
    focus();
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement
  );
}
