import { TypeCompiler } from '@sinclair/typebox/compiler';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Camera, CameraPut } from '#infra/control/camera-schemas.ts';
import { STATES } from '#infra/control/fleet-schemas.ts';
import {
  checkCamera,
  PREVIEW_RANGES,
  RATE_RANGES,
  type WantedCamera,
} from '#producers/fleet/wanted-camera.ts';
import { LIMITS } from '#runtime/limits.ts';

function isValid(camera: WantedCamera): boolean {
  try {
    checkCamera(camera);
    return true;
  } catch {
    return false;
  }
}

const near = (...edges: number[]) =>
  fc.constantFrom(...edges.flatMap((edge) => [edge - 0.01, edge, edge + 0.01]));
const word = fc.oneof(
  fc.constantFrom('', 'a', 'a b', 'A/b.c-d_e', 'ä', 'x'.repeat(64), 'x'.repeat(65)),
  fc.string({ maxLength: 4 }),
);
const point = fc.oneof(word, fc.constantFrom(-1, 0, 1, 1.5));
const ranged = (key: keyof typeof RATE_RANGES) => near(RATE_RANGES[key].min, RATE_RANGES[key].max);
const previewed = (key: keyof typeof PREVIEW_RANGES) => {
  const { min, max } = PREVIEW_RANGES[key];
  return fc.oneof(near(min, max), fc.constantFrom(min - 1, min + 1, max - 1, max + 1));
};
const words = (most: number) => fc.array(word, { maxLength: most });

const camera: fc.Arbitrary<WantedCamera> = fc.record(
  {
    id: word,
    source: fc.oneof(word, fc.constant('s'.repeat(LIMITS.cameraSourceLengthMax + 1))),
    framesPerSecond: near(0.1, LIMITS.framesPerSecondMax),
    ratePoint: point,
    rate: fc.record(
      {
        adaptive: fc.boolean(),
        coarsest: point,
        bytesPerSecondMax: ranged('bytesPerSecondMax'),
        framesPerSecondMin: ranged('framesPerSecondMin'),
        bytesPerFrameMax: ranged('bytesPerFrameMax'),
      },
      { requiredKeys: [] },
    ),
    enabled: fc.boolean(),
    labels: fc.dictionary(word, word, { maxKeys: LIMITS.cameraLabelsMax + 1 }),
    heads: words(LIMITS.cameraLabelsMax + 1),
    preview: fc.record({ everySeconds: previewed('everySeconds'), width: previewed('width') }),
  },
  { requiredKeys: ['id', 'source', 'framesPerSecond', 'enabled', 'labels'] },
);
/** Most of what is drawn above is wrong in some way; here one field is. */
const almostRight = fc
  .tuple(camera, fc.constantFrom(...(['id', 'source', 'ratePoint', 'rate', 'preview'] as const)))
  .map(([drawn, key]) => {
    const right = { id: 'gate', source: 'a.mp4', framesPerSecond: 5, enabled: true, labels: {} };
    return { ...right, ...(drawn[key] === undefined ? {} : { [key]: drawn[key] }) };
  });

describe('the schema of a camera', () => {
  it('allows what checkCamera allows, and nothing else', () => {
    const put = TypeCompiler.Compile(CameraPut);
    const stored = TypeCompiler.Compile(Camera);
    let valid = 0;
    fc.assert(
      fc.property(fc.oneof(camera, almostRight), (drawn) => {
        const isRight = isValid(drawn);
        if (isRight) valid++;
        expect(put.Check(drawn)).toBe(isRight);
        expect(stored.Check({ ...drawn, version: 1 })).toBe(isRight);
      }),
      { numRuns: 3_000 },
    );
    expect(valid).toBeGreaterThan(300);
  });

  it('knows each state once', () => {
    expect(new Set(STATES).size).toBe(STATES.length);
  });
});
