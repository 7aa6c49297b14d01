import type { Random } from '#runtime/random.ts';
import type { Colour } from './sprites/drawing.ts';

export interface PlacedLamp {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly colour: Colour;
}

export interface Light {
  readonly width: number;
  readonly height: number;
  readonly daylight: number;
  readonly warmth: number;
  readonly lamps: readonly PlacedLamp[];
  readonly noise: Int8Array;
  readonly noiseShift: number;
}

const TILE = 1 << 16;

/** Values of a sensor's noise, about normal, with a standard deviation of 24. */
export function noiseTile(random: Random): Int8Array {
  return Int8Array.from({ length: TILE }, () => {
    const sum = random.next() + random.next() + random.next() + random.next() - 2;
    return Math.max(-127, Math.min(127, Math.round(sum * 41.5)));
  });
}

/** Turns the scene, drawn as by noon, into what a camera records at this time of day. */
export function applyLight(linear: Uint8Array, out: Uint8Array, light: Light): void {
  const tables = channelTables(light);
  const lit = light.daylight < 0.6 ? lampGlow(light) : undefined;
  const [red, green, blue] = tables;
  // Cameras raise their gain by night, and the noise with it.
  const strength = Math.round(7 + 26 * (1 - light.daylight));
  const { noise } = light;
  let at = 0;
  let noiseAt = light.noiseShift;
  for (let y = 0; y < light.height; y++) {
    // Rows start at scattered places of the tile: no pattern repeats in sight.
    noiseAt = (Math.imul(noiseAt, 1664525) + 1013904223) >>> 0;
    for (let x = 0; x < light.width; x++, at += 3) {
      const grey = (noise[(noiseAt + x * 3) & (TILE - 1)] as number) * strength;
      const hue = (noise[(noiseAt + x * 3 + 7919) & (TILE - 1)] as number) * strength;
      let r = red[linear[at] as number] as number;
      let g = green[linear[at + 1] as number] as number;
      let b = blue[linear[at + 2] as number] as number;
      if (lit !== undefined) {
        r += lit[at] as number;
        g += lit[at + 1] as number;
        b += lit[at + 2] as number;
      }
      r += (grey + (hue >> 1)) >> 7;
      g += grey >> 7;
      b += (grey - (hue >> 1)) >> 7;
      out[at] = r < 0 ? 0 : r > 255 ? 255 : r;
      out[at + 1] = g < 0 ? 0 : g > 255 ? 255 : g;
      out[at + 2] = b < 0 ? 0 : b > 255 ? 255 : b;
    }
  }
}

function channelTables(light: Light): [Int16Array, Int16Array, Int16Array] {
  const day = light.daylight;
  const night: Colour = [0.36, 0.38, 0.46];
  const warm: Colour = [1.06, 0.97, 0.84];
  const make = (channel: 0 | 1 | 2) => {
    const gain =
      (night[channel] + (1 - night[channel]) * day) * (1 + (warm[channel] - 1) * light.warmth);
    return Int16Array.from({ length: 256 }, (_, value) => {
      const curve = (value / 255) ** (1 + 0.25 * (1 - day));
      return Math.round(255 * curve * gain);
    });
  };
  return [make(0), make(1), make(2)];
}

/** Light of lamps, added to the picture: a bright core and a wide halo. */
function lampGlow(light: Light): Uint8Array {
  const { width, height } = light;
  const glow = new Uint8Array(width * height * 3);
  const power = (0.6 - light.daylight) / 0.6;
  for (const lamp of light.lamps) {
    const firstX = Math.max(0, Math.floor(lamp.x - lamp.radius));
    const lastX = Math.min(width - 1, Math.ceil(lamp.x + lamp.radius));
    const firstY = Math.max(0, Math.floor(lamp.y - lamp.radius));
    const lastY = Math.min(height - 1, Math.ceil(lamp.y + lamp.radius));
    for (let y = firstY; y <= lastY; y++) {
      for (let x = firstX; x <= lastX; x++) {
        const far = Math.hypot(x + 0.5 - lamp.x, y + 0.5 - lamp.y) / lamp.radius;
        if (far >= 1) continue;
        const shine = power * ((1 - far) ** 3 * 0.55 + (far < 0.16 ? 0.6 : 0));
        const at = (y * width + x) * 3;
        for (let channel = 0; channel < 3; channel++) {
          const sum = (glow[at + channel] as number) + (lamp.colour[channel] ?? 0) * shine;
          glow[at + channel] = sum > 255 ? 255 : sum;
        }
      }
    }
  }
  return glow;
}
