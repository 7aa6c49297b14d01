import type { CameraState } from '#schemas/camera-status.ts';
import type { CameraRow } from '../../protocol.ts';
import { totalOf } from '../text.ts';
import type { Selection, SortKey } from './selection.ts';

/** A row that changes is another object, so what was made of one holds as long as it is there. */
interface Entry {
  row: CameraRow;
  labels: readonly string[];
  /** What is searched in; undefined before anybody does. */
  text: string | undefined;
  /** Place among the names. */
  rank: number;
  /** Of the order that was asked for last: the higher, the sooner. */
  weight: number;
}

const names = new Intl.Collator('en', { numeric: true });

/** The higher, the sooner a person has to look. */
const TROUBLE: Readonly<Record<CameraState, number>> = {
  offline: 4,
  unknown: 3,
  connecting: 2,
  ended: 1,
  online: 0,
};

const WEIGHTS: Readonly<Record<SortKey, (row: CameraRow) => number>> = {
  id: () => 0,
  trouble: ({ state }) => TROUBLE[state],
  age: ({ lastFrameTimeUs }) => -(lastFrameTimeUs ?? 0),
  fps: ({ framesPerSecond }) => -framesPerSecond,
  size: ({ kilobytesPerFrame }) => kilobytesPerFrame ?? 0,
  drops: ({ dropped }) => totalOf(dropped),
};

/**
 * All cameras in order. Of ten thousand a part changes in a second, so names are compared when
 * cameras come, labels counted where a row has changed, and the order of last time is where the
 * next one starts from: a sort of what is nearly in order takes one pass.
 */
export class CameraIndex {
  readonly #entries = new Map<string, Entry>();
  #byName: Entry[] = [];
  /** In the order of last time. */
  #ordered: Entry[] = [];
  /** By label: cameras that see it. */
  readonly #cameras = new Map<string, number>();
  #selected: readonly string[] = [];

  get size(): number {
    return this.#entries.size;
  }

  /** All rows that there are now. */
  update(rows: readonly CameraRow[]): void {
    const added: Entry[] = [];
    for (const row of rows) {
      const entry = this.#entries.get(row.cameraId);
      if (entry === undefined) added.push(this.#add(row));
      else if (entry.row !== row) this.#change(entry, row);
    }
    // Rows are of different cameras, so there are more entries only where cameras have gone.
    const hasGone = this.#entries.size > rows.length;
    if (hasGone) this.#removeAllBut(new Set(rows.map(({ cameraId }) => cameraId)));
    if (!hasGone && added.length === 0) return;
    const isHere = ({ row }: Entry) => this.#entries.has(row.cameraId);
    this.#byName = [...this.#byName.filter(isHere), ...added];
    this.#byName.sort((a, b) => names.compare(a.row.cameraId, b.row.cameraId));
    for (const [rank, entry] of this.#byName.entries()) entry.rank = rank;
    this.#ordered = [...this.#ordered.filter(isHere), ...added];
  }

  /** Ids of the cameras that are selected, in order; the same list while nothing changes in it. */
  select(selection: Selection): readonly string[] {
    const isWanted = wantedBy(selection);
    const selected = this.#inOrder(selection.sort)
      .filter(isWanted)
      .map(({ row }) => row.cameraId);
    if (!isSame(selected, this.#selected)) this.#selected = selected;
    return this.#selected;
  }

  /** What is seen now, with the number of cameras that see it; the most frequent first. */
  seenLabels(): [label: string, cameras: number][] {
    return [...this.#cameras].sort(([a, x], [b, y]) => y - x || names.compare(a, b));
  }

  #inOrder(sort: SortKey): readonly Entry[] {
    if (sort === 'id') return this.#byName;
    const weigh = WEIGHTS[sort];
    for (const entry of this.#ordered) entry.weight = weigh(entry.row);
    return this.#ordered.sort((a, b) => b.weight - a.weight || a.rank - b.rank);
  }

  #add(row: CameraRow): Entry {
    const entry = { row, labels: labelsOf(row), text: undefined, rank: 0, weight: 0 };
    this.#entries.set(row.cameraId, entry);
    this.#count(entry.labels, 1);
    return entry;
  }

  #change(entry: Entry, row: CameraRow): void {
    this.#count(entry.labels, -1);
    entry.row = row;
    entry.labels = labelsOf(row);
    entry.text = undefined;
    this.#count(entry.labels, 1);
  }

  #removeAllBut(cameraIds: ReadonlySet<string>): void {
    for (const [cameraId, { labels }] of this.#entries) {
      if (cameraIds.has(cameraId)) continue;
      this.#count(labels, -1);
      this.#entries.delete(cameraId);
    }
  }

  #count(labels: readonly string[], change: number): void {
    for (const label of labels) {
      const cameras = (this.#cameras.get(label) ?? 0) + change;
      if (cameras === 0) this.#cameras.delete(label);
      else this.#cameras.set(label, cameras);
    }
  }
}

function wantedBy({ search, state, sees }: Selection): (entry: Entry) => boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return (entry) => {
    if (state !== '' && entry.row.state !== state) return false;
    if (sees !== '' && !entry.labels.includes(sees)) return false;
    if (words.length === 0) return true;
    const text = entry.text ?? textOf(entry.row);
    entry.text = text;
    return words.every((word) => text.includes(word));
  };
}

/** Objects that are detected, and the class that leads. */
function labelsOf({ counts, topLabels }: CameraRow): readonly string[] {
  const top = topLabels[0]?.[0];
  const detected = Object.keys(counts);
  return top === undefined || detected.includes(top) ? detected : [...detected, top];
}

/** Words have no line break in them. */
function textOf({ cameraId, agentId, counts, topLabels }: CameraRow): string {
  const labels = [...Object.keys(counts), ...topLabels.map(([label]) => label)];
  return [cameraId, agentId, ...labels].join('\n').toLowerCase();
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index]);
}
