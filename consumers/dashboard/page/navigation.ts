import { signal } from '@preact/signals';
import { type Route, routeOf } from './route.ts';

/** The page that is shown, as the address has it. */
export const route = signal<Route>(here());

/** Pages of ours before this one in the history: so many times "back" stays here. */
let depth = 0;

export function followHistory(): void {
  history.scrollRestoration = 'manual';
  addEventListener('popstate', () => {
    depth = Math.max(0, depth - 1);
    route.value = here();
  });
}

export function go(path: string): void {
  history.pushState(null, '', path);
  depth += 1;
  route.value = here();
  scrollTo(0, 0);
}

/** For what is typed: each letter is no page of its own. */
export function replace(path: string): void {
  history.replaceState(null, '', path);
  route.value = here();
}

/** To the page before, or to the wall where this is the first. */
export function goBack(wall: string): void {
  if (depth > 0) history.back();
  else go(wall);
}

function here(): Route {
  return routeOf(location.pathname, location.search);
}
