import type { CameraRow, PreviewFacts } from '../../protocol.ts';
import { store } from '../context.ts';
import { cameraPath } from '../route.ts';
import { agoText, clockText } from '../text.ts';

export interface PreviewProps {
  readonly row: CameraRow;
  /** Null: none is there, or none any more. */
  readonly preview: PreviewFacts | null;
}

/** The last picture of a camera whose settings let small ones leave it; of all others nothing. */
export function Preview({ row, preview }: PreviewProps) {
  if (!row.sendsPictures) return null;
  return (
    <section class="panel preview" aria-labelledby="preview-title">
      <h2 id="preview-title">This camera sends pictures</h2>
      <p>
        Its settings let a small one leave it now and then. All else on this page is drawn from
        results alone.
      </p>
      {preview === null ? (
        <p class="muted">None has come lately.</p>
      ) : (
        <Picture cameraId={row.cameraId} preview={preview} />
      )}
    </section>
  );
}

interface PictureProps {
  readonly cameraId: string;
  readonly preview: PreviewFacts;
}

function Picture({ cameraId, preview: { captureTimeUs, width, height } }: PictureProps) {
  const takenMs = captureTimeUs / 1_000;
  const time = clockText(takenMs);
  return (
    <figure>
      {/* The time makes it another address: a browser asks for each picture once. */}
      <img
        src={`/api${cameraPath(cameraId)}/preview?taken=${captureTimeUs}`}
        width={width}
        height={height}
        alt={`What ${cameraId} saw at ${time}`}
      />
      <figcaption class="muted">
        {time}, {agoText(Math.max(0, store.nowMs.value - takenMs))} ago
      </figcaption>
    </figure>
  );
}
