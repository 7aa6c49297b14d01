/** The page's addresses. */
export type Route =
  | { readonly page: 'wall'; readonly query: string }
  | { readonly page: 'camera'; readonly cameraId: string }
  | { readonly page: 'frame'; readonly frameId: string }
  | { readonly page: 'fleet' }
  | { readonly page: 'missing'; readonly path: string };

export function routeOf(path: string, query: string): Route {
  const [, first = '', second, ...rest] = path.split('/');
  if (rest.length === 0) {
    if (first === '' && second === undefined) return { page: 'wall', query };
    if (first === 'fleet' && second === undefined) return { page: 'fleet' };
    const id = second === undefined ? '' : decoded(second);
    if (first === 'cameras' && id !== '') return { page: 'camera', cameraId: id };
    if (first === 'frames' && id !== '') return { page: 'frame', frameId: id };
  }
  return { page: 'missing', path };
}

export const WALL = '/';
export const FLEET = '/fleet';

export function cameraPath(cameraId: string): string {
  return `/cameras/${encodeURIComponent(cameraId)}`;
}

export function framePath(frameId: string): string {
  return `/frames/${encodeURIComponent(frameId)}`;
}

/** What the tab is called. */
export function titleOf(route: Route): string {
  switch (route.page) {
    case 'wall':
      return 'Wall – Halfsight';
    case 'camera':
      return `${route.cameraId} – Halfsight`;
    case 'frame':
      return `Frame ${route.frameId} – Halfsight`;
    case 'fleet':
      return 'Fleet – Halfsight';
    case 'missing':
      return 'Not found – Halfsight';
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
