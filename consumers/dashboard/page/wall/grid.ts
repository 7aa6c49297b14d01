/** Where tiles are: pure arithmetic, in CSS pixels. */
export interface Grid {
  readonly columns: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  /** From one row's top to the next one's. */
  readonly rowHeight: number;
  readonly rows: number;
  /** Of all rows. */
  readonly height: number;
}

export const GRID_GAP = 10;
/** Name and figures under the picture. */
export const CAPTION_HEIGHT = 46;
/** The leading class and the counts, at the foot of the picture. */
export const STRIP_HEIGHT = 19;
const PICTURE_ASPECT = 16 / 9;

export interface GridRoom {
  readonly width: number;
  readonly count: number;
  /** As many columns as there is room for tiles so wide; they grow to fill the width. */
  readonly tileWidthMin: number;
}

export function gridOf({ width, count, tileWidthMin }: GridRoom): Grid {
  const fitting = Math.floor((width + GRID_GAP) / (tileWidthMin + GRID_GAP));
  const columns = Math.max(1, fitting);
  const tileWidth = Math.max(1, Math.floor((width - (columns - 1) * GRID_GAP) / columns));
  const tileHeight = pictureHeight(tileWidth) + CAPTION_HEIGHT;
  const rowHeight = tileHeight + GRID_GAP;
  const rows = Math.ceil(count / columns);
  const height = Math.max(0, rows * rowHeight - GRID_GAP);
  return { columns, tileWidth, tileHeight, rowHeight, rows, height };
}

/** With its strip. */
export function pictureHeight(tileWidth: number): number {
  return Math.round(tileWidth / PICTURE_ASPECT) + STRIP_HEIGHT;
}

/** Indices of the tiles that lie in view, as [first, end). */
export interface TileRange {
  readonly first: number;
  readonly end: number;
}

/** `top`: how far the grid's own top has been scrolled out of view; negative below the view's. */
export function tilesInView(
  grid: Grid,
  count: number,
  { top, height }: { readonly top: number; readonly height: number },
): TileRange {
  const firstRow = Math.max(0, Math.floor(top / grid.rowHeight));
  const endRow = Math.min(grid.rows, Math.ceil((top + height) / grid.rowHeight));
  const first = Math.min(count, firstRow * grid.columns);
  return { first, end: Math.max(first, Math.min(count, endRow * grid.columns)) };
}

export function tilePosition(
  grid: Grid,
  index: number,
): { readonly x: number; readonly y: number } {
  const column = index % grid.columns;
  const row = Math.floor(index / grid.columns);
  return { x: column * (grid.tileWidth + GRID_GAP), y: row * grid.rowHeight };
}

/** Where a key leads from the tile at `index`; undefined: it is no key of the grid. */
export function moveInGrid(
  key: string,
  index: number,
  {
    count,
    columns,
    rowsInView,
  }: {
    readonly count: number;
    readonly columns: number;
    readonly rowsInView: number;
  },
): number | undefined {
  const within = (next: number) => (next >= 0 && next < count ? next : index);
  switch (key) {
    case 'ArrowRight':
      return within(index + 1);
    case 'ArrowLeft':
      return within(index - 1);
    case 'ArrowDown':
      return within(index + columns);
    case 'ArrowUp':
      return within(index - columns);
    case 'PageDown':
      return Math.max(0, Math.min(count - 1, index + columns * rowsInView));
    case 'PageUp':
      return Math.max(0, index - columns * rowsInView);
    case 'Home':
      return 0;
    case 'End':
      return Math.max(0, count - 1);
    default:
      return undefined;
  }
}
