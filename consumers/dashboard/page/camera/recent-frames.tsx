import type { FramesAnswer } from '../../protocol.ts';
import { StillPicture } from '../picture/picture.tsx';
import { usePolled } from '../polled.ts';
import { cameraPath, framePath } from '../route.ts';
import { Link } from '../shell/link.tsx';
import { Problem } from '../shell/problem.tsx';
import { clockText, durationText } from '../text.ts';

const WIDTH = 172;
const HEIGHT = 97;

/** Frames to pick one from, the newest first. */
export function RecentFrames({ cameraId }: { readonly cameraId: string }) {
  const path = `/api${cameraPath(cameraId)}/frames`;
  const { answer, error } = usePolled<FramesAnswer>(path);
  return (
    <section aria-labelledby="frames-title">
      <h2 id="frames-title">Recent frames</h2>
      <Problem error={error} />
      {answer?.frames.length === 0 && <p class="muted">None yet.</p>}
      <ul class="frame-strip">
        {answer?.frames.map((results) => {
          const { frameId, captureTimeUs, ageMs, traced } = results;
          const time = clockText(captureTimeUs / 1_000);
          return (
            <li key={frameId}>
              <Link href={framePath(frameId)}>
                <StillPicture results={results} width={WIDTH} height={HEIGHT} fontSize={9} />
                <span class="frame-time">{time}</span>
                <span class="muted">
                  {durationText(ageMs)}
                  {traced ? ' · traced' : ''}
                </span>
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
