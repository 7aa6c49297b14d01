import { live, store } from '../context.ts';
import { type Notice, noticesOf } from '../notices.ts';
import { cameraPath } from '../route.ts';
import { Link } from './link.tsx';

/** How many are shown before the rest is folded away. */
const SHOWN = 2;

/** What whoever looks must know, on every page. */
export function Notices() {
  const link = store.link.value;
  const notices = noticesOf({
    link,
    fleet: store.fleet.value,
    nowMs: store.nowMs.value,
    pageMs: store.pageMs.value,
  });
  const rest = notices.slice(SHOWN);
  return (
    <section class="notices" aria-label="Notices" role="status" aria-live="polite">
      {notices.slice(0, SHOWN).map((notice) => (
        <Line key={notice.key} notice={notice} />
      ))}
      {rest.length > 0 && (
        <details>
          <summary>{rest.length} more</summary>
          {rest.map((notice) => (
            <Line key={notice.key} notice={notice} />
          ))}
        </details>
      )}
    </section>
  );
}

function Line({ notice }: { readonly notice: Notice }) {
  const { severity, text, detail, cameraId, key } = notice;
  return (
    <p class="notice" data-severity={severity}>
      <span class="notice-mark" aria-hidden="true">
        {severity === 'critical' ? '!' : 'i'}
      </span>
      <span>
        {cameraId !== undefined && <Link href={cameraPath(cameraId)}>{cameraId}</Link>} {text}{' '}
        <span aria-hidden="true">{detail}</span>
      </span>
      {key === 'link' && (
        <button type="button" class="button" onClick={() => live.retry()}>
          Try now
        </button>
      )}
    </p>
  );
}
