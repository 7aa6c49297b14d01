import { useEffect } from 'preact/hooks';
import type { CameraResults, FrameAnswer } from '../../protocol.ts';
import { Seen } from '../camera/seen.tsx';
import { watched } from '../context.ts';
import { StillPicture } from '../picture/picture.tsx';
import { usePolled } from '../polled.ts';
import { cameraPath, framePath, WALL } from '../route.ts';
import { Link } from '../shell/link.tsx';
import { Measured } from '../shell/measured.tsx';
import { Problem } from '../shell/problem.tsx';
import { durationText, timeText } from '../text.ts';
import { Bitstream } from './bitstream.tsx';
import { Lineage } from './lineage.tsx';
import { RecordFacts } from './record-facts.tsx';
import { waitForSpans } from './spans-awaited.ts';
import { Trace } from './trace.tsx';

export function FramePage({ frameId }: { readonly frameId: string }) {
  const { answer, error } = usePolled<FrameAnswer>(`/api${framePath(frameId)}`, waitForSpans);
  useEffect(() => {
    watched.value = [];
  }, []);
  return (
    <article class="page">
      <FramePath frameId={frameId} />
      <header class="page-head">
        <h1>{answer === undefined ? 'Frame' : titleOf(answer)}</h1>
        {answer !== undefined && <p class="muted">{frameId}</p>}
      </header>
      <Problem error={error} />
      {answer === undefined && error === undefined && <p class="muted">Looking for it …</p>}
      {answer !== undefined && <Found answer={answer} />}
    </article>
  );
}

/** Camera ids may contain "-", so a frame id is read from its end. */
function FramePath({ frameId }: { readonly frameId: string }) {
  const cameraId = /^(.+)-\d+-\d+$/.exec(frameId)?.[1];
  return (
    <nav class="path" aria-label="Path">
      <Link href={WALL}>Wall</Link> /{' '}
      {cameraId !== undefined && (
        <>
          <Link href={cameraPath(cameraId)}>{cameraId}</Link> /{' '}
        </>
      )}
      frame
    </nav>
  );
}

function titleOf({ results, inspection }: FrameAnswer): string {
  const record = inspection.found ? inspection.frame : null;
  const captureTimeUs = results?.captureTimeUs ?? record?.captureTimeUs;
  return captureTimeUs === undefined ? 'Frame' : timeText(captureTimeUs);
}

function Found({ answer }: { readonly answer: FrameAnswer }) {
  const { results, origins, inspection, trace } = answer;
  return (
    <>
      <div class="frame-top">
        {results === null ? (
          <p class="panel muted">No result of this frame is on the topics.</p>
        ) : (
          <FramePicture results={results} />
        )}
        <aside class="camera-side">
          {results !== null && <Seen results={results} />}
          <RecordFacts answer={answer} />
        </aside>
      </div>
      <Trace spans={trace} />
      {origins.length > 0 && <Lineage origins={origins} captureTimeUs={results?.captureTimeUs} />}
      <Bitstream inspection={inspection} />
    </>
  );
}

function FramePicture({ results }: { readonly results: CameraResults }) {
  const { sourceWidth, sourceHeight, ageMs } = results;
  return (
    <figure class="panel camera-picture">
      <Measured aspect={Math.max(4 / 3, sourceWidth / Math.max(1, sourceHeight))}>
        {(size) => <StillPicture {...size} results={results} label="What was seen" fontSize={13} />}
      </Measured>
      <figcaption>
        Drawn from results alone: {sourceWidth} × {sourceHeight},{' '}
        <data value={ageMs}>{durationText(ageMs)}</data> after capture
      </figcaption>
    </figure>
  );
}
