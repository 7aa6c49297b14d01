import { defined } from '#runtime/assert.ts';
import type { Random } from '#runtime/random.ts';
import { garbled } from '#test/fixtures/garbled-bitstream.ts';
import type { TinyFrames } from '#test/unit/consumers/inference/tiny-frames.ts';
import type { Nature } from './truth.ts';

/** Pictures are grey, of one of so many shades; the latent of a shade is one symbol everywhere. */
const SHADES = 32;
const MIDDLE = 128;
const STEP = 8;
const NATURES: readonly Nature[] = ['sound', 'corrupt', 'foreign', 'garbled', 'indigestible'];

export interface Picture {
  readonly symbol: number;
  readonly nature: Nature;
}

/** The one symbol that kills the engine, so no sound picture has it. */
export const INDIGESTIBLE_SYMBOL = SHADES;

export function drawPicture(random: Random, poisonPermille: number): Picture {
  const symbol = random.integer(SHADES) - SHADES / 2;
  if (random.integer(1000) >= poisonPermille) return { symbol, nature: 'sound' };
  const nature = NATURES[1 + random.integer(NATURES.length - 1)] as Nature;
  return { symbol: nature === 'indigestible' ? INDIGESTIBLE_SYMBOL : symbol, nature };
}

/** A picture's pixels: as many as the fake encoder needs to know it again. */
export function toPixels({ symbol, nature }: Picture): Uint8Array {
  return Uint8Array.of(symbol + SHADES, NATURES.indexOf(nature));
}

export function fromPixels(pixels: Uint8Array): Picture {
  const nature = defined(NATURES[pixels[1] ?? 0], 'the nature of a picture');
  return { symbol: (pixels[0] ?? 0) - SHADES, nature };
}

/** Bitstreams by the real coder, each made once. */
export class Bitstreams {
  readonly #tiny: TinyFrames;
  readonly #bySymbol = new Map<number, Uint8Array>();
  readonly #foreign: Uint8Array;

  constructor(tiny: TinyFrames) {
    this.#tiny = tiny;
    this.#foreign = tiny.foreignBitstream();
  }

  of({ symbol, nature }: Picture): Uint8Array {
    if (nature === 'foreign') return this.#foreign;
    let bitstream = this.#bySymbol.get(symbol);
    if (bitstream === undefined) {
      bitstream = this.#tiny.frame(0, {}, MIDDLE + STEP * symbol).bitstream;
      this.#bySymbol.set(symbol, bitstream);
    }
    if (nature === 'garbled') return garbled(bitstream);
    if (nature !== 'corrupt') return bitstream;
    const corrupt = bitstream.slice();
    const last = corrupt.length - 1;
    corrupt[last] = (corrupt[last] ?? 0) ^ 1;
    return corrupt;
  }
}
