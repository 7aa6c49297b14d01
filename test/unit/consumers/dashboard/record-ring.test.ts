import { expect, it } from 'vitest';
import { RecordRing } from '#consumers/dashboard/record-ring.ts';
import { seededRandom } from '#runtime/random.ts';

it('keeps what was written last, whole, and says what is gone', () => {
  const size = 1_000;
  const ring = new RecordRing(size);
  const random = seededRandom(7);
  const written: { readonly place: number; readonly length: number; readonly fill: number }[] = [];
  for (let turn = 0; turn < 2_000; turn++) {
    const length = 1 + random.integer(turn % 50 === 0 ? size : 120);
    const fill = turn % 251;
    written.push({ place: ring.write(new Uint8Array(length).fill(fill)), length, fill });
    const here = written.filter(({ place }) => place >= ring.start);
    expect(here.at(-1)).toBe(written.at(-1));
    for (const { place, length, fill } of here) {
      expect(ring.read(place, length)).toEqual(new Uint8Array(length).fill(fill));
    }
  }
  const places = written.map(({ place }) => place);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
});
