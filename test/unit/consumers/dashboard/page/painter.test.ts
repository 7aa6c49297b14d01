import { describe, expect, it } from 'vitest';
import { Painter } from '#consumers/dashboard/page/picture/painter.ts';

function start() {
  const frames: (() => void)[] = [];
  const painter = new Painter((draw) => frames.push(draw));
  const painted: string[] = [];
  const paintable = (name: string) => ({ repaint: () => painted.push(name) });
  return { frames, painter, painted, paintable };
}

describe('Painter', () => {
  it('draws once in a frame what changed, however often it did', () => {
    const { frames, painter, painted, paintable } = start();
    const [a, b] = [paintable('a'), paintable('b')];
    for (const one of [a, b, a, a]) painter.request(one);
    expect(frames).toHaveLength(1);
    frames[0]?.();
    expect(painted).toEqual(['a', 'b']);
    expect(painter.drawn).toBe(2);
  });

  it('asks for no frame while nothing changes, and draws nothing that is gone', () => {
    const { frames, painter, painted, paintable } = start();
    const [a, b] = [paintable('a'), paintable('b')];
    painter.request(a);
    painter.request(b);
    painter.forget(a);
    frames[0]?.();
    expect(painted).toEqual(['b']);
    expect(frames).toHaveLength(1);
  });
});
