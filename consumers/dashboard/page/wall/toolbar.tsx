import { store } from '../context.ts';
import { SEARCH_ID } from '../shell/keyboard.ts';
import { countText, plural } from '../text.ts';
import type { CameraIndex } from './camera-index.ts';
import {
  type Selection,
  SORTS,
  type SortKey,
  STATES,
  TILE_SIZES,
  type TileSize,
} from './selection.ts';

export interface ToolbarProps {
  readonly selection: Selection;
  readonly index: CameraIndex;
  readonly selected: number;
  readonly onChange: (change: Partial<Selection>) => void;
}

const LABELS_MAX = 60;

export function Toolbar({ selection, index, selected, onChange }: ToolbarProps) {
  const seen = index.seenLabels().slice(0, LABELS_MAX);
  const byState = store.fleet.value?.cameras.byState ?? {};
  const { sees } = selection;
  const labels =
    sees === '' || seen.some(([label]) => label === sees) ? seen : [[sees, 0], ...seen];
  return (
    <search class="toolbar" aria-label="Cameras">
      <input
        id={SEARCH_ID}
        type="search"
        aria-label="Search name, label or agent"
        placeholder="Search name, label or agent"
        value={selection.search}
        onInput={(event) => onChange({ search: event.currentTarget.value })}
      />
      <Choice
        name="State"
        isFilter
        value={selection.state}
        options={[
          ['', 'Any state'],
          ...STATES.map((state) => [state, `${state} (${byState[state] ?? 0})`] as const),
        ]}
        onChange={(state) => onChange({ state: state as Selection['state'] })}
      />
      <Choice
        name="Sees"
        isFilter
        value={sees}
        options={[
          ['', 'Sees anything'],
          ...labels.map(([label, cameras]) => [`${label}`, `${label} (${cameras})`] as const),
        ]}
        onChange={(label) => onChange({ sees: label })}
      />
      <Choice
        name="Order"
        value={selection.sort}
        options={Object.entries(SORTS)}
        onChange={(sort) => onChange({ sort: sort as SortKey })}
      />
      <Choice
        name="Tiles"
        value={selection.size}
        options={Object.keys(TILE_SIZES).map((size) => [size, `${size} tiles`] as const)}
        onChange={(size) => onChange({ size: size as TileSize })}
      />
      <p class="muted toolbar-count" role="status">
        {selected === index.size
          ? plural(index.size, 'camera')
          : `${countText(selected)} of ${plural(index.size, 'camera')}`}
      </p>
    </search>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  /** Leaves cameras out where it is set. */
  readonly isFilter?: boolean;
  readonly onChange: (value: string) => void;
}

function Choice({ name, value, options, isFilter, onChange }: ChoiceProps) {
  return (
    <select
      aria-label={name}
      value={value}
      data-set={isFilter === true && value !== ''}
      onChange={(event) => onChange(event.currentTarget.value)}
    >
      {options.map(([option, text]) => (
        <option key={option} value={option}>
          {text}
        </option>
      ))}
    </select>
  );
}
