import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { clock, watched } from '../context.ts';
import { replace } from '../navigation.ts';
import { type Grid, gridOf, moveInGrid, tilePosition, tilesInView } from './grid.ts';
import { useCameraIndex } from './order.ts';
import { readSelection, type Selection, TILE_SIZES, writeSelection } from './selection.ts';
import { Tile } from './tile.tsx';
import { Toolbar } from './toolbar.tsx';
import { useView } from './view.ts';

/** While somebody scrolls, the server is not told of every row that passes by. */
const WATCH_DELAY_MS = 120;

/** Where the wall was left, for those who come back to it. */
const left = { cameraId: '', scrollTop: 0 };

export function Wall({ query }: { readonly query: string }) {
  const selection = useMemo(() => readSelection(query), [query]);
  const index = useCameraIndex();
  const order = index.select(selection);
  const change = (part: Partial<Selection>) => {
    replace(`/${writeSelection({ ...selection, ...part })}`);
  };
  return (
    <>
      <h1 class="hidden">Wall</h1>
      <Toolbar selection={selection} index={index} selected={order.length} onChange={change} />
      {order.length === 0 ? (
        <Empty hasCameras={index.size > 0} />
      ) : (
        <Tiles order={order} tileWidthMin={TILE_SIZES[selection.size]} />
      )}
    </>
  );
}

function Empty({ hasCameras }: { readonly hasCameras: boolean }) {
  useEffect(() => {
    watched.value = [];
  }, []);
  return (
    <p class="empty">
      {hasCameras
        ? 'No camera is as you want it. Change the search or the filters.'
        : 'No camera yet. They are here as soon as an agent tells of them.'}
    </p>
  );
}

interface TilesProps {
  readonly order: readonly string[];
  readonly tileWidthMin: number;
}

function Tiles({ order, tileWidthMin }: TilesProps) {
  const list = useRef<HTMLUListElement>(null);
  const view = useView(list);
  const grid = gridOf({ width: view.width, count: order.length, tileWidthMin });
  const range = tilesInView(grid, order.length, view);
  const inView = order.slice(range.first, range.end);
  useWatch(inView);
  const [active, setActive] = useState(left.cameraId);
  const activeIndex = Math.max(0, order.indexOf(active));
  useReturn(list, grid, activeIndex);
  const focusTile = useCallback((cameraId: string) => {
    setActive(cameraId);
    left.cameraId = cameraId;
  }, []);
  const move = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rowsInView = Math.max(1, Math.floor(view.height / grid.rowHeight) - 1);
    const room = { count: order.length, columns: grid.columns, rowsInView };
    const next = moveInGrid(event.key, activeIndex, room);
    if (next === undefined) return;
    event.preventDefault();
    focusTile(order[next] ?? '');
    bringIntoView(list.current, grid, next);
    requestAnimationFrame(() => tileAt(list.current, next)?.focus({ preventScroll: true }));
  };
  // The one with the focus stays, wherever it is: without it the keyboard would lose its place.
  const isActiveAway = activeIndex < range.first || activeIndex >= range.end;
  const indices = [
    ...inView.map((_, index) => range.first + index),
    ...(isActiveAway ? [activeIndex] : []),
  ];
  return (
    <ul
      ref={list}
      class="tiles"
      aria-label="Cameras"
      style={{ height: `${grid.height}px` }}
      onKeyDown={move}
    >
      {view.width > 0 &&
        indices.map((index) => (
          <Tile
            key={order[index]}
            cameraId={order[index] ?? ''}
            index={index}
            count={order.length}
            width={grid.tileWidth}
            {...tilePosition(grid, index)}
            isActive={index === activeIndex}
            onFocus={focusTile}
          />
        ))}
    </ul>
  );
}

function useWatch(inView: readonly string[]): void {
  const names = inView.join(' ');
  useEffect(() => {
    const ids = names === '' ? [] : names.split(' ');
    return clock.after(WATCH_DELAY_MS, () => {
      watched.value = ids;
    });
  }, [names]);
}

/** Whoever comes back from a camera finds the wall as it was, with the focus on that camera. */
function useReturn(list: { current: HTMLUListElement | null }, grid: Grid, index: number): void {
  const isMeasured = grid.tileWidth > 1;
  useEffect(() => {
    if (!isMeasured || left.cameraId === '') return;
    scrollTo(0, left.scrollTop);
    // Cameras may have come and gone since.
    bringIntoView(list.current, grid, index);
    requestAnimationFrame(() => tileAt(list.current, index)?.focus({ preventScroll: true }));
  }, [isMeasured]);
  useEffect(() => {
    const keep = () => {
      left.scrollTop = scrollY;
    };
    addEventListener('scrollend', keep);
    return () => removeEventListener('scrollend', keep);
  }, []);
}

function tileAt(list: HTMLUListElement | null, index: number): HTMLElement | null {
  return list?.querySelector<HTMLElement>(`[data-index="${index}"]`) ?? null;
}

/** Below what sticks to the top of the window. */
function bringIntoView(list: HTMLUListElement | null, grid: Grid, index: number): void {
  if (list === null) return;
  const top = list.getBoundingClientRect().top + tilePosition(grid, index).y;
  const stuck = document.querySelector('.header')?.getBoundingClientRect().bottom ?? 0;
  if (top < stuck + 8) scrollBy(0, top - stuck - 8);
  const below = top + grid.tileHeight + 8 - innerHeight;
  if (below > 0) scrollBy(0, below);
}
