import { useEffect, useState } from 'preact/hooks';
import type { CameraRow } from '../../protocol.ts';
import { store } from '../context.ts';
import { LivePicture } from '../picture/picture.tsx';
import { cameraPath } from '../route.ts';
import { Link } from '../shell/link.tsx';
import {
  agoText,
  countsText,
  decimalText,
  durationText,
  SENDS_PICTURES,
  totalOf,
} from '../text.ts';
import { pictureHeight, STRIP_HEIGHT } from './grid.ts';
import { isOld } from './old.ts';

export interface TileProps {
  readonly cameraId: string;
  readonly index: number;
  readonly count: number;
  readonly width: number;
  readonly x: number;
  readonly y: number;
  /** The one that Tab leads to. */
  readonly isActive: boolean;
  readonly onFocus: (cameraId: string) => void;
}

export function Tile({ cameraId, index, count, width, x, y, isActive, onFocus }: TileProps) {
  const row = store.row(cameraId)?.value;
  if (row === undefined) return null;
  useFirstPicture(cameraId);
  const ageMs = pictureAgeMs(cameraId);
  const old = ageMs !== undefined && isOld(ageMs, row);
  return (
    <li
      class="tile"
      data-state={row.state}
      data-old={old}
      aria-setsize={count}
      aria-posinset={index + 1}
      style={{ width: `${width}px`, transform: `translate(${x}px, ${y}px)` }}
    >
      <Link
        href={cameraPath(cameraId)}
        tabIndex={isActive ? 0 : -1}
        data-index={index}
        onFocus={() => onFocus(cameraId)}
      >
        <Caption row={row} />
        <span class="tile-picture" style={{ height: `${pictureHeight(width)}px` }}>
          <LivePicture
            cameraId={cameraId}
            width={width - 2}
            height={pictureHeight(width) - 1}
            stripHeight={STRIP_HEIGHT}
            fontSize={width < 220 ? 10 : 11}
          />
          <Overlay row={row} ageMs={ageMs} isOld={old} />
          {row.sendsPictures && <span class="tile-pictures">{SENDS_PICTURES}</span>}
        </span>
      </Link>
    </li>
  );
}

/** The first one is told of at once; later ones are drawn, and their age is told by the second. */
function useFirstPicture(cameraId: string): void {
  const [hasPicture, setHasPicture] = useState(store.results(cameraId) !== undefined);
  useEffect(() => {
    if (hasPicture) return undefined;
    return store.onResults(cameraId, () => setHasPicture(true));
  }, [cameraId, hasPicture]);
}

/** Undefined where there is no picture yet. */
function pictureAgeMs(cameraId: string): number | undefined {
  const nowMs = store.nowMs.value;
  const results = store.results(cameraId);
  return results === undefined ? undefined : Math.max(0, nowMs - results.captureTimeUs / 1_000);
}

interface OverlayProps {
  readonly row: CameraRow;
  readonly ageMs: number | undefined;
  readonly isOld: boolean;
}

/** Why the picture is no present one. */
function Overlay({ row, ageMs, isOld }: OverlayProps) {
  const age = ageMs === undefined ? undefined : `${agoText(ageMs)} old`;
  if (row.state !== 'online') {
    return (
      <span class="tile-overlay">
        <strong>{row.state}</strong>
        {row.detail !== '' && <span>{row.detail}</span>}
        {age !== undefined && <span>{age}</span>}
      </span>
    );
  }
  if (ageMs === undefined) return <span class="tile-overlay faint">no result yet</span>;
  return isOld ? <span class="tile-age">{age}</span> : null;
}

function Caption({ row }: { readonly row: CameraRow }) {
  const drops = totalOf(row.dropped);
  return (
    <span class="tile-caption">
      <span class="tile-name">
        <span class="dot" data-state={row.state} />
        <span class="tile-id">{row.cameraId}</span>
        <span class="hidden">{spokenText(row)}</span>
        <span class="tile-profile">{profileText(row)}</span>
      </span>
      <span class="tile-figures">
        <span>{decimalText(row.framesPerSecond)} fps</span>
        <span>{decimalText(row.kilobytesPerFrame)} KB</span>
        <span>{durationText(row.ageMs)}</span>
        {drops > 0 && <span class="tile-drops">{drops} dropped</span>}
      </span>
    </span>
  );
}

/** Rate point, and how many frames a second there is room for where that is fewer. */
function profileText({ ratePoint, framesPerSecondLimit }: CameraRow): string {
  const point = ratePoint === null ? '' : `rate ${ratePoint}`;
  if (framesPerSecondLimit === null) return point;
  return `${point} ≤${decimalText(framesPerSecondLimit)} fps`.trim();
}

/** What the dot and the picture say. */
function spokenText({ state, counts }: CameraRow): string {
  const seen = countsText(counts);
  return seen === '' ? state : `${state}, sees ${seen}`;
}
