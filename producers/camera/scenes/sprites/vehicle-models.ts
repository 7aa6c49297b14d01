import type { Colour, Point } from './drawing.ts';

/**
 * Vehicles are solids: a side profile extruded across the vehicle's width and projected for any
 * heading and camera elevation, so that one description gives every view of a car.
 */
export type VehicleKind = 'sedan' | 'hatchback' | 'suv' | 'van' | 'bus' | 'truck' | 'pickup';

export interface VehicleLook {
  readonly kind: VehicleKind;
  readonly paint: Colour;
  /** Colour of a truck's box, or of the stripe of a bus. */
  readonly second: Colour;
}

export type Material =
  | 'paint'
  | 'glass'
  | 'front'
  | 'rear'
  | 'roof'
  | 'cargo'
  | 'busFront'
  | 'busRear'
  | 'bed';
/** Corner of the profile, cm: x forward, z up; `material` covers the strip to the next corner. */
export type Corner = readonly [x: number, z: number, material: Material];

export interface Solid {
  readonly halfWidth: number;
  /** Above this height the body narrows, as cabins do. */
  readonly shoulderZ: number;
  readonly narrowing: number;
  readonly corners: readonly Corner[];
  readonly windows: readonly (readonly Point[])[];
  readonly side: 'paint' | 'second';
}

export interface Model {
  readonly solids: readonly Solid[];
  readonly wheels: readonly (readonly [x: number, radius: number])[];
}

export const CAR_WHEELS = [
  [-132, 32],
  [136, 32],
] as const;

export const MODELS: Record<VehicleKind, Model> = {
  sedan: {
    solids: [
      solid(
        90,
        94,
        0.17,
        [
          [-222, 28, 'rear'],
          [-228, 62, 'rear'],
          [-224, 94, 'paint'],
          [-168, 101, 'glass'],
          [-98, 143, 'roof'],
          [22, 145, 'glass'],
          [92, 102, 'paint'],
          [190, 86, 'paint'],
          [222, 68, 'front'],
          [224, 28, 'paint'],
        ],
        [
          [
            [-150, 103],
            [-96, 137],
            [-40, 139],
            [-40, 103],
          ],
          [
            [-33, 103],
            [-33, 139],
            [20, 139],
            [76, 104],
          ],
        ],
      ),
    ],
    wheels: CAR_WHEELS,
  },
  hatchback: {
    solids: [
      solid(
        88,
        96,
        0.16,
        [
          [-186, 28, 'rear'],
          [-192, 62, 'rear'],
          [-190, 98, 'glass'],
          [-160, 146, 'roof'],
          [22, 151, 'glass'],
          [98, 106, 'paint'],
          [182, 90, 'paint'],
          [204, 70, 'front'],
          [206, 28, 'paint'],
        ],
        [
          [
            [-165, 104],
            [-150, 141],
            [-52, 144],
            [-52, 104],
          ],
          [
            [-45, 104],
            [-45, 144],
            [20, 145],
            [80, 107],
          ],
        ],
      ),
    ],
    wheels: [
      [-118, 32],
      [130, 32],
    ],
  },
  suv: {
    solids: [
      solid(
        96,
        110,
        0.13,
        [
          [-216, 36, 'rear'],
          [-222, 72, 'rear'],
          [-220, 112, 'glass'],
          [-192, 166, 'roof'],
          [24, 170, 'glass'],
          [92, 120, 'paint'],
          [196, 106, 'paint'],
          [218, 84, 'front'],
          [220, 36, 'paint'],
        ],
        [
          [
            [-196, 118],
            [-182, 160],
            [-116, 162],
            [-116, 118],
          ],
          [
            [-110, 118],
            [-110, 162],
            [-42, 163],
            [-42, 118],
          ],
          [
            [-35, 118],
            [-35, 163],
            [20, 164],
            [76, 120],
          ],
        ],
      ),
    ],
    wheels: [
      [-132, 38],
      [138, 38],
    ],
  },
  van: {
    solids: [
      solid(
        98,
        124,
        0.08,
        [
          [-248, 34, 'rear'],
          [-252, 120, 'rear'],
          [-246, 202, 'roof'],
          [110, 206, 'glass'],
          [176, 126, 'paint'],
          [240, 102, 'paint'],
          [252, 80, 'front'],
          [252, 34, 'paint'],
        ],
        [
          [
            [40, 130],
            [40, 186],
            [110, 188],
            [158, 130],
          ],
        ],
      ),
    ],
    wheels: [
      [-150, 35],
      [168, 35],
    ],
  },
  pickup: {
    solids: [
      solid(
        96,
        100,
        0.02,
        [
          [-270, 46, 'rear'],
          [-272, 108, 'bed'],
          [60, 110, 'paint'],
          [230, 106, 'paint'],
          [254, 86, 'front'],
          [256, 42, 'paint'],
        ],
        [],
      ),
      solid(
        92,
        112,
        0.12,
        [
          [-62, 106, 'glass'],
          [-48, 174, 'roof'],
          [70, 176, 'glass'],
          [128, 112, 'paint'],
        ],
        [
          [
            [-46, 116],
            [-38, 168],
            [64, 169],
            [112, 116],
          ],
        ],
      ),
    ],
    wheels: [
      [-166, 40],
      [166, 40],
    ],
  },
  bus: {
    solids: [
      solid(
        126,
        300,
        0,
        [
          [-580, 34, 'busRear'],
          [-586, 290, 'roof'],
          [-560, 304, 'roof'],
          [560, 304, 'roof'],
          [584, 286, 'busFront'],
          [590, 36, 'paint'],
        ],
        busWindows(),
      ),
    ],
    wheels: [
      [-330, 50],
      [330, 50],
    ],
  },
  truck: {
    solids: [
      {
        ...solid(
          124,
          500,
          0,
          [
            [-420, 92, 'cargo'],
            [-420, 342, 'cargo'],
            [196, 342, 'cargo'],
            [196, 92, 'cargo'],
          ],
          [],
        ),
        side: 'second',
      },
      solid(
        114,
        200,
        0.05,
        [
          [210, 44, 'paint'],
          [208, 262, 'roof'],
          [352, 268, 'glass'],
          [396, 162, 'paint'],
          [402, 120, 'front'],
          [402, 44, 'paint'],
        ],
        [
          [
            [262, 160],
            [262, 244],
            [338, 248],
            [374, 160],
          ],
        ],
      ),
    ],
    wheels: [
      [-310, 48],
      [-200, 48],
      [308, 48],
    ],
  },
};

export function solid(
  halfWidth: number,
  shoulderZ: number,
  narrowing: number,
  corners: readonly Corner[],
  windows: readonly (readonly Point[])[],
): Solid {
  return { halfWidth, shoulderZ, narrowing, corners, windows, side: 'paint' };
}

export function busWindows(): Point[][] {
  return [-545, -410, -275, -140, -5, 130, 265, 400].map((x) => [
    [x, 150],
    [x, 262],
    [x + 124, 262],
    [x + 124, 150],
  ]);
}
