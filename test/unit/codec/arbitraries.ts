import fc from 'fast-check';
import { LIMITS } from '#runtime/limits.ts';

/** A valid cdf of up to 40 slots. */
const cdf = fc
  .uniqueArray(fc.integer({ min: 1, max: 65535 }), { minLength: 1, maxLength: 39 })
  .map((inner) => [0, ...inner.sort((a, b) => a - b), 65536]);

/** A table and `count` symbols, most in the table and some far outside it. */
export function tableWithSymbols(count: number) {
  return fc
    .record({ cdf, offset: fc.integer({ min: -1000, max: 1000 }) })
    .chain(({ cdf, offset }) => {
      const near = fc.integer({ min: offset - 3, max: offset + cdf.length + 3 });
      const limit = LIMITS.symbolMagnitudeMax;
      const far = fc.integer({ min: -limit, max: limit });
      const symbol = fc.oneof({ weight: 9, arbitrary: near }, { weight: 1, arbitrary: far });
      return fc.record({
        cdf: fc.constant(cdf),
        offset: fc.constant(offset),
        symbols: fc.array(symbol, { minLength: count, maxLength: count }),
      });
    });
}
