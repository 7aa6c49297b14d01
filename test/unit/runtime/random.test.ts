import { describe, expect, it } from 'vitest';
import { seededRandom } from '#runtime/random.ts';

describe('seededRandom', () => {
  it('repeats itself for one seed and differs for another', () => {
    const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed).next);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('gives forks that do not depend on draws made elsewhere', () => {
    const one = seededRandom(5);
    one.next();
    expect(one.fork('noise').next()).toBe(seededRandom(5).fork('noise').next());
    expect(one.fork('noise').next()).not.toBe(one.fork('light').next());
  });

  it('is roughly uniform', () => {
    const random = seededRandom(3);
    const counts = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 100_000; draw++) {
      const bin = random.integer(10);
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
