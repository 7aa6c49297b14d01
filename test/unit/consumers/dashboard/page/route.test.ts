import { describe, expect, it } from 'vitest';
import { cameraPath, framePath, routeOf } from '#consumers/dashboard/page/route.ts';

describe('routeOf', () => {
  it.each([
    ['/', { page: 'wall', query: '?state=offline' }],
    ['/fleet', { page: 'fleet' }],
    ['/cameras/gate.1', { page: 'camera', cameraId: 'gate.1' }],
    ['/frames/gate-1-1700000000000-7', { page: 'frame', frameId: 'gate-1-1700000000000-7' }],
  ])('%s', (path, route) => {
    expect(routeOf(path, '?state=offline')).toEqual(route);
  });

  it.each(['/cameras', '/cameras/', '/cameras/a/b', '/frames/%zz', '/fleet/x', '/nothing'])(
    'nothing at %s',
    (path) => {
      expect(routeOf(path, '')).toEqual({ page: 'missing', path });
    },
  );

  it('reads what the links say', () => {
    expect(routeOf(cameraPath('a/b c'), '')).toEqual({ page: 'camera', cameraId: 'a/b c' });
    expect(routeOf(framePath('f%1'), '')).toEqual({ page: 'frame', frameId: 'f%1' });
  });
});
