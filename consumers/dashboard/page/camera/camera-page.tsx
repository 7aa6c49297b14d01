import { useEffect, useMemo, useState } from 'preact/hooks';
import type { CameraAnswer, CameraResults, CameraRow } from '../../protocol.ts';
import { store, watched } from '../context.ts';
import { LivePicture } from '../picture/picture.tsx';
import { usePolled } from '../polled.ts';
import { cameraPath, framePath, WALL } from '../route.ts';
import { Facts } from '../shell/facts.tsx';
import { Link } from '../shell/link.tsx';
import { Measured } from '../shell/measured.tsx';
import { Problem } from '../shell/problem.tsx';
import {
  agoText,
  clockText,
  countsText,
  countText,
  dayText,
  decimalText,
  durationText,
  SENDS_PICTURES,
  totalOf,
} from '../text.ts';
import { isOld } from '../wall/old.ts';
import { Chart } from './chart.tsx';
import { Preview } from './preview.tsx';
import { RecentFrames } from './recent-frames.tsx';
import { Seen } from './seen.tsx';
import { chartsOf, timesOf } from './series.ts';

export function CameraPage({ cameraId }: { readonly cameraId: string }) {
  const { answer, error } = usePolled<CameraAnswer>(`/api${cameraPath(cameraId)}`);
  const isKnown = store.membership.value >= 0 && store.row(cameraId) !== undefined;
  useEffect(() => {
    watched.value = [cameraId];
  }, [cameraId]);
  const row = (isKnown ? store.row(cameraId)?.value : undefined) ?? answer?.camera;
  const results = useNewest(cameraId);
  return (
    <article class="page">
      <nav class="path" aria-label="Path">
        <Link href={WALL}>Wall</Link> / {cameraId}
      </nav>
      <header class="page-head">
        <h1>{cameraId}</h1>
        {row !== undefined && <State row={row} results={results} />}
      </header>
      <Problem error={error} />
      {row !== undefined && (
        <>
          <div class="camera-top">
            <div class="panel camera-picture" data-state={row.state}>
              <Measured aspect={16 / 9}>
                {(size) => (
                  <LivePicture
                    {...size}
                    cameraId={cameraId}
                    label={`What ${cameraId} sees: ${countsText(row.counts) || 'nothing'}`}
                    fontSize={13}
                  />
                )}
              </Measured>
            </div>
            <aside class="camera-side">
              <Preview row={row} preview={answer?.preview ?? null} />
              {results !== undefined && <Seen results={results} />}
              <CameraFacts row={row} results={results} />
            </aside>
          </div>
          {answer !== undefined && <Charts answer={answer} />}
          <RecentFrames cameraId={cameraId} />
        </>
      )}
    </article>
  );
}

/** For what is said in words beside the picture; the picture follows by itself. */
function useNewest(cameraId: string): CameraResults | undefined {
  const [results, setResults] = useState(store.results(cameraId));
  useEffect(() => store.onResults(cameraId, setResults), [cameraId]);
  return results;
}

interface NewestProps {
  readonly row: CameraRow;
  readonly results: CameraResults | undefined;
}

function State({ row, results }: NewestProps) {
  const ageMs =
    results === undefined ? undefined : store.nowMs.value - results.captureTimeUs / 1_000;
  return (
    <p class="state-line">
      <span class="chip" data-state={row.state}>
        {row.state}
      </span>
      {ageMs !== undefined && isOld(ageMs, row) && (
        <span class="chip" data-state="old">
          picture is {agoText(ageMs)} old
        </span>
      )}
      {row.sendsPictures && (
        <span class="chip" data-state="pictures">
          {SENDS_PICTURES}
        </span>
      )}
      {row.detail !== '' && <span>{row.detail}</span>}
    </p>
  );
}

function CameraFacts({ row, results }: NewestProps) {
  const drops = Object.entries(row.dropped).filter(([, count]) => count > 0);
  const limit = row.framesPerSecondLimit;
  return (
    <Facts
      title="Camera"
      facts={[
        ['Agent', row.agentId || '–'],
        ['Epoch since', row.epoch === 0 ? '–' : dayText(row.epoch)],
        [
          'Frames a second',
          decimalText(row.framesPerSecond) +
            (limit === null ? '' : ` of at most ${decimalText(limit)}`),
        ],
        ['Rate point', countText(row.ratePoint)],
        ['KB a frame', decimalText(row.kilobytesPerFrame)],
        ['Age at the result', durationText(row.ageMs)],
        ['Captured', countText(row.captured)],
        ['Published', countText(row.published)],
        [
          'Dropped',
          countText(totalOf(row.dropped)) +
            (drops.length === 0
              ? ''
              : ` (${drops.map(([reason, count]) => `${count} ${reason}`).join(', ')})`),
        ],
        ['Reconnects', countText(row.reconnects)],
        ...(results === undefined
          ? []
          : [
              [
                'Newest frame',
                <Link key="frame" href={framePath(results.frameId)}>
                  {clockText(results.captureTimeUs / 1_000)}
                </Link>,
              ] as const,
            ]),
      ]}
    />
  );
}

function Charts({ answer }: { readonly answer: CameraAnswer }) {
  const { history } = answer;
  const times = useMemo(() => timesOf(history), [history]);
  const charts = useMemo(() => chartsOf(history), [history]);
  return (
    <section aria-labelledby="hour-title">
      <h2 id="hour-title">The last hour</h2>
      <div class="charts">
        {charts.map((chart) => (
          <Chart key={chart.title} chart={chart} times={times} />
        ))}
      </div>
    </section>
  );
}
