import type { CameraState } from '#schemas/camera-status.ts';

/** Which cameras the wall shows, and in what order; empty text: all. It is in the address. */
export interface Selection {
  readonly search: string;
  readonly state: CameraState | '';
  /** A label that the newest results have. */
  readonly sees: string;
  readonly sort: SortKey;
  readonly size: TileSize;
}

export const SORTS = {
  id: 'Name',
  trouble: 'Trouble first',
  age: 'Oldest result first',
  fps: 'Slowest first',
  size: 'Most KB/frame first',
  drops: 'Most drops first',
} as const;
export type SortKey = keyof typeof SORTS;

export const TILE_SIZES = { small: 170, medium: 240, large: 380 } as const;
export type TileSize = keyof typeof TILE_SIZES;

export const STATES = [
  'online',
  'connecting',
  'offline',
  'ended',
  'unknown',
] as const satisfies CameraState[];

export const EVERYTHING: Selection = {
  search: '',
  state: '',
  sees: '',
  sort: 'id',
  size: 'medium',
};

export function readSelection(query: string): Selection {
  const values = new URLSearchParams(query);
  const pick = <T extends string>(name: string, known: readonly T[], otherwise: T): T =>
    known.find((value) => value === values.get(name)) ?? otherwise;
  return {
    search: values.get('search') ?? '',
    state: pick<CameraState | ''>('state', STATES, ''),
    sees: values.get('sees') ?? '',
    sort: pick('sort', Object.keys(SORTS) as SortKey[], EVERYTHING.sort),
    size: pick('size', Object.keys(TILE_SIZES) as TileSize[], EVERYTHING.size),
  };
}

/** With its `?`; empty for everything. */
export function writeSelection(selection: Selection): string {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(selection)) {
    if (value !== EVERYTHING[name as keyof Selection]) values.set(name, value);
  }
  return values.size === 0 ? '' : `?${values}`;
}
